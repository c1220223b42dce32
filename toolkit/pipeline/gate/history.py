"""What a gate found for one revision after the other: a file of JSON lines, one a run, which only grows."""

from __future__ import annotations

from pathlib import Path

import msgspec

from toolkit.core import InputError, decode_json, make_folder, read_file, storage_errors

from .result import SCHEMA, GateReport

_MOST_BYTES = 2**28


def append(file: Path, report: GateReport) -> None:
    """Add a line to `file`, which may not be there yet.

    Raises:
        InputError: it is something else than a history.
        StorageError: it cannot be written.
    """
    read_history(file)
    make_folder(file.parent)
    with storage_errors(file), file.open("ab") as stream:
        stream.write(report.to_json())


def read_history(file: Path) -> tuple[GateReport, ...]:
    """The runs in the order in which they were added; none where there is no file.

    Raises:
        InputError: it is something else than a history.
    """
    if not file.exists():
        return ()
    try:
        lines = read_file(file, most=_MOST_BYTES).splitlines()
    except OSError as error:
        raise InputError(f"cannot read '{file}'", expected="the history of a gate", got=error.strerror or str(error)) from error
    found: list[GateReport] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(decode_json(line, GateReport))
        except msgspec.DecodeError as error:
            raise InputError(f"line {number} of '{file}' is no run of a gate: {error}", hint="name another file with --history") from error
        if found[-1].schema != SCHEMA:
            raise InputError(f"line {number} of '{file}' has another schema", expected=str(SCHEMA), got=str(found[-1].schema))
    return tuple(found)
