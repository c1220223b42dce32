"""What a network computes between its inputs and its outputs: one file a format.

A `Trace` knows the tensors of a model file and what each is computed from, runs the file and answers with all of them, and can put
another value in the place of any of them before the rest is computed. `toolkit debug` stands on it.
"""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Format, InputError, Signature, discover, needs

from .base import Cut, Step, Trace, Tracer, Values

__all__ = ["Cut", "Step", "Trace", "Tracer", "Values", "open_trace"]


def open_trace(file: Path, format: Format, signature: Signature, *, batch: int = 1) -> Trace:
    """The trace of a model file, run with `batch` rows at a time.

    Raises:
        InputError: no tracer for the format, or the file has no such batch.
        MissingDependencyError: a package that reads or runs the format is not installed.
    """
    tracers = {tracer.format: tracer for tracer in discover("toolkit.runtimes.intermediates", Tracer)}
    if format not in tracers:
        raise InputError(f"intermediate values of {format} cannot be seen", expected=f"one of {', '.join(sorted(tracers))}")
    tracer = tracers[format]
    with needs(tracer.extra):
        return tracer.open(file, signature, batch)
