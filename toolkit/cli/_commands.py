"""A group whose sub-commands are the files of a folder, imported only when they are used, and commands that say how they resume."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import shlex
from collections.abc import Callable
from typing import Any

import click

from toolkit._interrupted import NOTHING, Interrupted

_WORDS = "toolkit.words"


class Command(click.Command):
    """A command that answers Ctrl-C and SIGTERM with ``interrupted``, a text or what makes one of its context; one that can resume
    must say so.
    """

    def __init__(self, *args: Any, interrupted: str | Callable[[click.Context], str] = NOTHING, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.interrupted = interrupted

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; raises `Interrupted`."""
        try:
            return super().invoke(ctx)
        except Interrupted:
            raise  # The command knows more than what it says at any time.
        except KeyboardInterrupt as stop:
            raise Interrupted(self.interrupted if isinstance(self.interrupted, str) else self.interrupted(ctx)) from stop


def with_resume(ctx: click.Context) -> str:
    """The command line of `ctx` as it was given, with ``--resume`` and without ``--overwrite``."""
    words = [word for word in ctx.meta.get(_WORDS, ()) if word not in {"--overwrite", "--resume"}]
    return shlex.join(["toolkit", *words, "--resume"])


class Commands(click.Group):
    """The commands of the package `package`: its module ``convert``, or sub-package, holds the command ``command``."""

    def __init__(self, *args: Any, package: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._package = package

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; the words are kept for `with_resume`."""
        ctx.meta.setdefault(_WORDS, tuple(args))
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """The names of the commands: the files of the folder."""
        folder = importlib.import_module(self._package).__path__
        return sorted(info.name.replace("_", "-") for info in pkgutil.iter_modules(folder) if not info.name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name in the message for an unknown one."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            guess = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{args[0]}'.{guess}")
        return super().resolve_command(ctx, args)
