"""The files of an ONNX model: the graph, and the weights that it keeps in files beside it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from toolkit.core import ArtifactError, InputError, needs, run_isolated


def onnx_files(file: Path) -> dict[str, Path]:
    """The files that belong to `file` by their names in its folder, without itself; read in a process of its own.

    Raises:
        ArtifactError: one is missing, or the graph cannot be read.
        InputError: one is outside the folder.
    """
    found = {}
    for name in run_isolated(f"{__name__}:external_task", str(file.resolve())):
        path = file.parent / name
        parts = PurePosixPath(name).parts
        inside = bool(name) and not {"..", "/"} & set(parts) and "\\" not in name and ":" not in name
        if not inside or any((file.parent / Path(*parts[: count + 1])).is_symlink() for count in range(len(parts))):
            raise InputError(
                f"'{file}' keeps weights outside its folder",
                expected="a file beside it, which is no link",
                got=f"'{name}'",
                hint="save it again",
            )
        if not path.is_file():
            raise ArtifactError(f"'{path}' is missing", expected=f"the weights of '{file.name}', beside it")
        found[PurePosixPath(name).as_posix()] = path
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
