"""The ``toolkit`` command. Each sub-command is a file of this folder, imported only when it is used."""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import sys

import click

from toolkit import __version__


class Commands(click.Group):
    """A group whose commands are the modules of this folder: module ``convert`` holds the command ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """The names of the commands: the files of this folder."""
        return sorted(info.name.replace("_", "-") for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name in the message for an unknown one."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            guess = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{args[0]}'.{guess}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, no_args_is_help=True)
@click.version_option(__version__, prog_name="toolkit")
def toolkit() -> None:
    """Convert a trained network, prove it is still right, measure it, and call it.

    \b
    toolkit demo                            the whole road on built-in data
    toolkit train cnn --data fashion-mnist  a trained reference model
    toolkit convert artifacts/cnn           ONNX, OpenVINO and TF Lite, proved
    toolkit benchmark artifacts/cnn         which one to ship, and why

    Shell completion: eval "$(_TOOLKIT_COMPLETE=bash_source toolkit)" (or zsh_source, fish_source).
    """


def main() -> None:
    """Run the command line: 0 well, 1 a target or a check failed, 2 bad input, 130 interrupted."""
    try:
        # Without its standalone mode click returns the code of an Exit and leaves every error to be told here.
        code = toolkit.main(prog_name="toolkit", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.exceptions.Abort):
        _end("interrupted; what was complete is kept, run the same command again to go on", 130)
    except OSError as error:
        # Such as a full disk behind standard output: what stays in Python's buffer would be tried again at exit. A pipe that its
        # reader closed does not arrive here: click and rich then end the process without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _end(": ".join(str(part) for part in (error.strerror or error, error.filename) if part), 2)
    except Exception as error:
        # Imported only now: the types bring NumPy, which alone would take `toolkit --help` beyond its 150 ms.
        from toolkit.core import ToolkitError

        if not isinstance(error, ToolkitError):
            raise
        _end(str(error), 2)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _end(message: str, code: int) -> None:
    click.echo(f"error: {message}" if code == 2 else message, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
