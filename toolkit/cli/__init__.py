"""The ``toolkit`` command. Each sub-command is a file of this folder, imported only when it is used."""

from __future__ import annotations

import codecs
import io
import os
import sys
import warnings
from collections.abc import Callable
from functools import partial

import click

from toolkit import __version__
from toolkit._interrupted import answer, exit_code

from ._commands import Commands


@click.group(
    cls=Commands, package=__name__, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, no_args_is_help=True
)
@click.version_option(__version__, prog_name="toolkit")
def toolkit() -> None:
    """Convert a trained network, verify the result, measure it, and call it.

    \b
    toolkit demo                            the whole road on built-in data
    toolkit train cnn --data fashion-mnist  a trained reference model
    toolkit convert artifacts/cnn           ONNX, OpenVINO and TF Lite, verified
    toolkit benchmark artifacts/cnn         which one to ship, and why

    Shell completion: eval "$(_TOOLKIT_COMPLETE=bash_source toolkit)" (or zsh_source, fish_source).
    """


def main() -> None:
    """Run the command line: 0 well, 1 a target or a check failed, 2 bad input, 130 interrupted, 143 ended by SIGTERM."""
    _speak_ascii()
    warnings.showwarning = partial(_warn, warnings.showwarning)
    try:
        # Without its standalone mode click returns the code of an Exit and leaves every error to be told here.
        code = toolkit.main(prog_name="toolkit", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.exceptions.Abort) as stop:
        _end(answer(stop), exit_code())
    except OSError as error:
        # Such as a full disk behind standard output: what stays in Python's buffer would be tried again at exit. A pipe that its
        # reader closed does not arrive here: click and rich then end the process without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _end(": ".join(str(part) for part in (error.strerror or error, error.filename) if part), 2)
    except MemoryError as error:
        _end(f"not enough memory: {str(error) or 'the system has none left'}; use fewer samples, or end other programs", 2)
    except Exception as error:
        # Imported only now: the types bring NumPy, which alone would take `toolkit --help` beyond its 150 ms.
        from toolkit.core import ToolkitError

        if not isinstance(error, ToolkitError):
            raise
        _end(str(error), 2)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _speak_ascii() -> None:
    """Let a terminal that lacks a character, such as that of µs, show another one in its place, and not a traceback."""
    codecs.register_error("toolkit", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in {"strict", "backslashreplace"}:
            stream.reconfigure(errors="toolkit")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError), "nothing is decoded with it"
    spelled = {"µ": "u", "μ": "u", "×": "x", "–": "-", "—": "-", "…": "...", "→": "->", "≥": ">=", "≤": "<=", "±": "+-"}
    return "".join(spelled.get(character, "?") for character in error.object[error.start : error.end]), error.end


def _warn(others: Callable[..., None], message: Warning | str, category: type[Warning], *where: object, **also: object) -> None:
    """Print a warning of the toolkit's own as one line; `others` shows those of libraries."""
    from toolkit.core import ToolkitWarning  # As above; what has warned has imported it.

    if issubclass(category, ToolkitWarning):
        click.echo(f"warning: {message}", err=True)
    else:
        others(message, category, *where, **also)


def _end(message: str, code: int) -> None:
    click.echo(f"error: {message}" if code == 2 else message, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
