"""``toolkit export app``."""

from __future__ import annotations

from pathlib import Path

import click

from .._common import complete, console, json_option, plain, print_json


def _languages() -> list[str]:
    from toolkit.pipeline.export.app import all_languages

    return [language.name for language in all_languages()]


class _Language(click.ParamType):
    """A name, which is looked up where it is used; what names there are is asked for when the help is shown."""

    name = "language"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's interface
        """As click shows a choice."""
        return f"[{'|'.join(_languages())}]"


@click.command(short_help="Write a small program that runs an artifact.")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--lang", required=True, type=_Language(), shell_complete=complete(_languages), help="Its language.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write; an earlier export in it is replaced.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=]FILE",
    help="The example: a picture, .wav or .txt where the network takes one, else .npy or .npz. Default: a seeded one.",
)
@click.option("--prepare", default="", metavar="FILE", help="How files become the input, in TOML. Default: as the manifest says.")
@json_option
def command(artifact: Path, lang: str, out: Path, inputs: tuple[str, ...], prepare: str, json_to: str | None) -> None:
    """Write a complete program that runs ARTIFACT where no toolkit is.

    The model, the source with the manifest's preparation, a build file, a README, an example with its expected outputs, and
    a test that compares. ARTIFACT is an artifact folder or a model file: python runs ONNX, OpenVINO and TF Lite, js runs
    ONNX in Node and browsers, cpp runs ONNX and OpenVINO.

    \b
    toolkit export app artifacts/cnn/onnx-int8 --lang python --out app
    toolkit export app detector.onnx --lang cpp --out app --input street.jpg
    """
    from toolkit.pipeline.export.app import export

    made = export(artifact, out, lang=lang, inputs=inputs, prepare=prepare)
    if json_to:
        print_json(made, json_to)
    if json_to == "-":
        return
    out_console = console()
    out_console.print(f"[bold]{plain(out)}[/]  {made.language}, takes {made.kind}, expected outputs by {plain(made.engine)}")
    out_console.print(f"the test: {made.tolerance}")
    out_console.print(f"\n{plain(f'cd {out}')}", highlight=False)
    for step in made.steps:
        out_console.print(plain(step), soft_wrap=True, highlight=False)
