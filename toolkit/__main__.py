"""``python -m toolkit``, and what the command ``toolkit`` calls first: the rest is imported where Ctrl-C and SIGTERM can be answered."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType

from toolkit._interrupted import ANSWERED, LOADING, exit_code, stop


def main() -> None:
    """Run the command line."""
    for number, usual in ANSWERED.items():
        if signal.getsignal(number) is usual:  # A shell starts what runs in the background with Ctrl-C ignored.
            signal.signal(number, _interrupt)
    try:
        from toolkit.cli import main as run

        run()
    except KeyboardInterrupt:
        print(f"\n{LOADING}", file=sys.stderr)
        sys.exit(exit_code())


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt as Python does, but end at once while the commands import what they need.

    An import swallows it, or turns it into another error, and leaves half a module behind; no command has begun its work there.
    """
    commands = __file__.removesuffix("__main__.py") + "cli"
    importing = False
    while frame is not None:
        name = frame.f_code.co_filename
        if importing and name.startswith(commands):
            os.write(2, f"\n{LOADING}\n".encode())
            os._exit(128 + signum)
        importing = name.startswith("<frozen importlib") or (importing and name == importlib.__file__)
        frame = frame.f_back
    stop(signum)


if __name__ == "__main__":
    main()
