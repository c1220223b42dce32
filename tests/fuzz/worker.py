"""A process that runs one command after another, as the shell would: requests are lines of JSON on standard input, answers on fd 3.

It must never die: if it does, a file has crashed the toolkit's main process.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve until standard input ends."""
    faulthandler.enable()
    answers = os.fdopen(int(sys.argv[1]), "w")
    for line in sys.stdin:
        request = json.loads(line)
        os.chdir(request["folder"])
        answer = _run(request["words"], Path(request["output"]), Path(request["errors"]))
        os.chdir("/")
        print(json.dumps(answer), file=answers, flush=True)


def _run(words: list[str], output: Path, errors: Path) -> dict[str, Any]:
    from toolkit import cli

    _reset_peak()
    saved = os.dup(1), os.dup(2)
    for number, file in enumerate((output, errors), start=1):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = ["toolkit", *words]
    code: Any
    try:
        with warnings.catch_warnings():  # Each command tells a warning as if it were the first.
            cli.main()
        code = 0
    except SystemExit as error:
        code = error.code if error.code is not None else 0
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        for number, descriptor in enumerate(saved, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
    return {"code": code, "peak_bytes": _peak()}


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
