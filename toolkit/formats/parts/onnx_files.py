"""The files of an ONNX model: the graph, and the weights that it keeps in files beside it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from toolkit.core import ArtifactError, InputError, needs, run_isolated
from toolkit.core.files import is_link, is_plain_name


def onnx_files(file: Path) -> dict[str, Path]:
    """The files that belong to `file` by their names in its folder, without itself; read in a process of its own.

    Raises:
        ArtifactError: one is missing, or the graph cannot be read.
        InputError: one is outside the folder.
    """
    found = {}
    for told in run_isolated(f"{__name__}:external_task", str(file.resolve())):
        name = PurePosixPath(told).as_posix()
        path = file.parent / name
        if not is_plain_name(name) or any(
            is_link(part) for part in (path, *path.parents) if part.is_relative_to(file.parent) and part != file.parent
        ):
            raise InputError(
                f"'{file}' keeps weights outside its folder",
                expected="a file beside it, which is no symbolic or hard link",
                got=f"'{told}'",
                hint="copy the folder, or save the model again",
            )
        if not path.is_file():
            raise ArtifactError(f"'{path}' is missing", expected=f"the weights of '{file.name}', beside it")
        found[name] = path
    return found


def external_task(file: str) -> list[str]:
    """The names of the files in which tensors of the graph keep their values, in subgraphs and functions too."""
    with needs("convert"):
        import onnx
        from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data
    try:
        model = onnx.load(file, load_external_data=False)
    except Exception:
        return []  # The engine says what is wrong with the file.
    return sorted({ExternalDataInfo(tensor).location for tensor in _get_all_tensors(model) if uses_external_data(tensor)})
