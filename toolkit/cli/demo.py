"""``toolkit demo``."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit._interrupted import RESUMES

from ._commands import Command
from ._common import complete, console, data_names, json_option, plain, print_json


@click.command(cls=Command, interrupted=RESUMES, short_help="Run the end-to-end demo on built-in data.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("artifacts"), show_default=True, help="Folder of bundles.")
@click.option("--data", default="digits", show_default=True, shell_complete=complete(data_names), help="A data set: toolkit data.")
@click.option("--html", type=click.Path(path_type=Path), help="Where the page goes. Default: report.html in the bundle.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds of the benchmark.")
@click.option("--overwrite", is_flag=True, help="Train from scratch, in place of the network that is there.")
@json_option
@click.pass_context
def command(ctx: click.Context, out: Path, data: str, html: Path | None, rounds: int, overwrite: bool, json_to: str | None) -> None:
    """Run the end-to-end demo on built-in data: train, convert, verify, benchmark, and say which artifact to ship.

    Run twice it goes on with what is there: a network that is trained is kept, artifacts that are made come from the cache.
    The JSON holds what each of the three steps prints as JSON; a model that is trained already is null.

    \b
    toolkit demo
    toolkit demo --data fashion-mnist --out artifacts/fashion
    """
    import contextlib
    import io
    import tempfile

    import msgspec

    silent = contextlib.redirect_stdout(io.StringIO()) if json_to == "-" else contextlib.nullcontext()
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        with silent:
            good = _steps(ctx, out, data=data, html=html, rounds=rounds, overwrite=overwrite, notes=Path(folder))
        if json_to:
            files = {name: Path(folder) / f"{name}.json" for name in ("train", "convert", "benchmark")}
            print_json({name: msgspec.Raw(file.read_bytes()) if file.exists() else None for name, file in files.items()}, json_to)
    if not good:
        raise click.exceptions.Exit(1)


def _steps(ctx: click.Context, out: Path, *, data: str, html: Path | None, rounds: int, overwrite: bool, notes: Path) -> bool:
    """Run the three commands, each leaving its JSON in the folder `notes`; whether all went well."""
    from toolkit.core import MANIFEST, Artifact, InputError
    from toolkit.models import find_model
    from toolkit.models.data import find_data

    from . import benchmark, convert, train

    bundle = out / "cnn"
    dataset, recipe = find_data(data), find_model("cnn").recipe(data)
    home = bundle / "pt2-fp32"
    trained = (home / MANIFEST).is_file() and not overwrite
    if trained and (other := Artifact.load(home).manifest.data) != dataset.name:
        raise InputError(
            f"'{bundle}' holds a network of other data",
            expected=dataset.name,
            got=other or "none that is known",
            hint="replace it: --overwrite; keep it: another --out",
        )
    good = True

    def step(command: click.Command, name: str, **options: object) -> None:
        nonlocal good
        try:
            ctx.invoke(command, json_to=str(notes / f"{name}.json"), **options)
        except click.exceptions.Exit:
            good = False

    console().print(f"[bold]1. train[/]  toolkit train cnn --data {plain(data)} --out {plain(out)}  ({recipe.epochs} epochs)")
    if trained:
        console().print("   is trained already")
    else:
        step(train.command, "train", model="cnn", data=data, out=out, resume=not overwrite, overwrite=overwrite)
    console().print(f"\n[bold]2. convert and verify[/]  toolkit convert {plain(bundle)}")
    targets = {"formats": ("onnx", "tflite", "openvino"), "precisions": ("fp32", "fp16", "bf16", "int8")}
    step(convert.command, "convert", source=str(bundle), **targets)
    page = html or bundle / "report.html"
    console().print(f"\n[bold]3. benchmark[/]  toolkit benchmark {plain(bundle)} --html {plain(page)}")
    step(benchmark.command, "benchmark", source=str(bundle), rounds=rounds, html=page)
    console().print(f"\nthe same as a page: {plain(page)}")
    console().print(f"in an app: toolkit.load('{plain(bundle)}').run(image)")
    return good
