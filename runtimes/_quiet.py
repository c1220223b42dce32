"""Engines write greetings to the process's standard error while they load; this keeps them off the terminal."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator

_CHATTER = re.compile(
    rb"INFO: |WARNING: All log messages before absl|[IWE]\d{4} \d\d:\d\d:|To enable the following instructions:|VERBOSE: |\s*$"
)
_redirected = threading.RLock()


@contextlib.contextmanager
def quiet(*, everything: bool = False) -> Iterator[None]:
    """Drop native log lines written to file descriptor 2 inside the block; every other line is written after it.

    With `everything` no line is: for an engine that says by its return values what its lines repeat.

    The descriptor belongs to the whole process, so a line from another thread is late, never lost.
    """
    lines: list[bytes] = []
    try:
        with captured(lines):
            yield
    finally:
        kept = [line for line in lines if not everything and not _CHATTER.match(line)]
        if kept:
            os.write(2, b"".join(kept))


@contextlib.contextmanager
def captured(lines: list[bytes]) -> Iterator[None]:
    """Add to `lines` what is written to file descriptor 2 inside the block: for an engine that says only there why it fails."""
    with _redirected:
        try:
            saved = os.dup(2)
        except OSError:  # A daemon may have closed it: then there is nothing to keep clean.
            yield
            return
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(saved, 2)
                os.close(saved)
                sink.seek(0)
                lines += sink
