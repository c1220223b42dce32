"""What a training must not replace unasked: a checkpoint that it could go on from, and a network that was trained before."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import InputError


def check_free(out: Path, *, training: tuple[Path, str], network: tuple[Path, str] | None, resume: bool, overwrite: bool) -> None:
    """Raise `InputError` where something in `out` would be lost that nobody said may be.

    Args:
        out: the folder, as the user named it.
        training: the checkpoint's file, and what is called so, such as ``a run``.
        network: a file that is there with the trained network only, and what is called so; None where that one is no loss.
        resume: go on from the checkpoint.
        overwrite: replace what is there.
    """
    if resume and overwrite:
        raise InputError("--resume goes on with what is there, --overwrite replaces it", expected="one of the two")
    checkpoint, begun = training
    known = checkpoint.exists()
    if overwrite or (known and resume):
        return
    if known:
        raise InputError(f"'{out}' holds {begun}", hint="go on with it: --resume; replace it: --overwrite; keep it: another --out")
    if network is not None and network[0].exists():
        what = network[1] if not resume else f"{network[1]} and no checkpoint that --resume could go on from"
        raise InputError(f"'{out}' holds {what}", hint="replace it: --overwrite; keep it: another --out")
