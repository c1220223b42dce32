"""``toolkit generate``."""

from __future__ import annotations

from pathlib import Path

import click

from ._common import complete, console, device_option, engine_names, json_option, plain, print_json
from ._request import state_option


@click.command(short_help="Let a language model go on with a prompt.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("prompt")
@click.option("--tokenizer", type=click.Path(path_type=Path), help="A tokenizer.json. Default: the tokens of the model's manifest.")
@click.option("--count", type=click.IntRange(min=1), default=100, show_default=True, help="How many tokens come at most.")
@click.option("--temperature", type=float, default=0.0, show_default=True, help="Divides the scores; 0 takes the likeliest token.")
@click.option("--top-k", type=click.IntRange(min=0), default=0, show_default=True, help="Draw from the K likeliest only; 0 for all.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same one draws the same tokens.")
@click.option("--stop", type=click.IntRange(min=0), multiple=True, metavar="TOKEN", help="A token number that ends it; repeat for several.")
@state_option
@click.option("--engine", shell_complete=complete(engine_names), help="Engine's name. Default: the fastest for a bundle.")
@device_option
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the engine. Default: all that this process may use.")
@json_option
def command(
    model: Path,
    prompt: str,
    tokenizer: Path | None,
    count: int,
    temperature: float,
    top_k: int,
    seed: int,
    stop: tuple[int, ...],
    states: tuple[str, ...],
    engine: str | None,
    device: str,
    threads: int | None,
    json_to: str | None,
) -> None:
    """Let MODEL, a language model that keeps what it has read, go on with PROMPT.

    MODEL takes tokens and the states of the call before (docs/streams.md). PROMPT is a text, or token numbers with blanks between where
    nothing says what the model's tokens are.

    \b
    toolkit generate artifacts/decoder "12 7 301" --count 20
    toolkit generate decoder.onnx "Once" --tokenizer tokenizer.json
    """
    from toolkit.pipeline.generate import generate
    from toolkit.pipeline.source.sizing import Sizing

    shows = json_to != "-"
    result = generate(
        model,
        prompt,
        count=count,
        temperature=temperature,
        top_k=top_k,
        seed=seed,
        stop=stop,
        tokenizer=tokenizer,
        states=Sizing.parse(states=states).states or None,
        engine=engine,
        device=device,
        threads=threads,
        on_text=(lambda text: click.echo(text, nl=False)) if shows else None,
    )
    if json_to:
        print_json(result, json_to)
    if shows:
        click.echo()
        actual, many = result.actual, len(result.tokens)
        first = f", the first after {1000 * result.first_s:.0f} ms" if many else ""
        rate = f", then {result.tokens_per_s:.0f} in a second" if many > 1 else ""
        console(error=True).print(
            f"{many} {'token' if many == 1 else 'tokens'}{first}{rate}; "
            f"{plain(actual.engine)} {plain(actual.engine_version)}, {actual.arithmetic}, {actual.threads} threads",
            style="dim",
        )
