"""``toolkit demo``."""

from __future__ import annotations

from pathlib import Path

import click

from ._common import console, plain


@click.command(short_help="The whole road on built-in data.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("artifacts/demo"), show_default=True, help="Folder of bundles.")
@click.option("--data", default="digits", show_default=True, help="A data set: toolkit data.")
@click.option("--html", type=click.Path(path_type=Path), help="Where the page goes. Default: report.html in the bundle.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds of the benchmark.")
@click.pass_context
def command(ctx: click.Context, out: Path, data: str, html: Path | None, rounds: int) -> None:
    """The whole road on built-in data: train, convert, verify, benchmark, and say which artifact to ship.

    \b
    toolkit demo
    toolkit demo --data fashion-mnist --out artifacts/fashion
    """
    from toolkit.core import MANIFEST, Artifact
    from toolkit.models import find_model
    from toolkit.models.data import find_data

    from . import benchmark, convert, train

    bundle = out / "cnn"
    dataset, recipe = find_data(data), find_model("cnn").recipe(data)
    home = bundle / "pt2-fp32"
    trained = (home / MANIFEST).is_file() and Artifact.load(home).manifest.data == dataset.name
    console().print(f"[bold]1. train[/]  toolkit train cnn --data {plain(data)} --out {plain(out)}  ({recipe.epochs} epochs)")
    if trained:
        console().print("   is trained already")
    else:
        ctx.invoke(train.command, model="cnn", data=data, out=out)
    precisions = ("fp32", "fp16", "bf16", "int8")
    failed = False
    console().print(f"\n[bold]2. convert and verify[/]  toolkit convert {plain(bundle)}")
    try:
        ctx.invoke(convert.command, source=str(bundle), formats=("onnx", "tflite", "openvino"), precisions=precisions)
    except click.exceptions.Exit:
        failed = True
    page = html or bundle / "report.html"
    console().print(f"\n[bold]3. benchmark[/]  toolkit benchmark {plain(bundle)} --html {plain(page)}")
    ctx.invoke(benchmark.command, bundle=bundle, rounds=rounds, html=page)
    console().print(f"\nthe same as a page: {plain(page)}")
    console().print(f"in an app: toolkit.load('{plain(bundle)}').run(image)")
    if failed:
        raise click.exceptions.Exit(1)
