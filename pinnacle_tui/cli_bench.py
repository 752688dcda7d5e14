"""`bench`: what this machine does, what the papers say, and what the model earns."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pinnacle_tui.cli_parts import examples, json_option

_OPTION_OF = {
    "recording": "speed",
    "seed": "papers",
    "seeds": "quoting",
    "minutes": "quoting",
    "maker_bps": "quoting",
}


@click.command(
    epilog=examples(
        "pinnacle-tui bench --json",
        "pinnacle-tui bench --input capture.jsonl.gz",
        "pinnacle-tui bench papers",
        "pinnacle-tui bench quoting --seeds 1-20",
    )
)
@click.argument("what", type=click.Choice(["speed", "papers", "quoting"]), default="speed")
@click.option(
    "--input", "recording", type=Path, metavar="FILE", help="Decode the frames of this recording too."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=7, metavar="N", help="Of the table that papers plays again."
)
@click.option(
    "--seeds", default="1-20", metavar="N-M", help="Of the markets that quoting trades. Default: 1-20."
)
@click.option(
    "--minutes",
    type=click.IntRange(1, 1_440),
    default=15,
    metavar="N",
    help="Simulated time of each run of quoting. Default: 15.",
)
@click.option(
    "--maker-bps", default="2", metavar="X", help="Maker fee in quoting. Default: 2, the simulator's."
)
@json_option
def bench(
    what: str, recording: Path | None, seed: int, seeds: str, minutes: int, maker_bps: str, as_json: bool
) -> int:
    """Measure this machine, hold our formulas against the papers, or two ways to quote against each other.

    \b
    speed     matching, book updates, decoding, strategy, risk, tick to quote
    papers    printed figures beside ours; ends with 1 where one disagrees
    quoting   glft as it ships against a fixed 10 bp quote, on simulated markets with informed flow
    """
    _refuse_options_of_others(what)
    if what == "papers":
        from engine.commands import bench_papers

        return bench_papers.run(as_json=as_json, seed=seed, stdout=sys.stdout)
    if what == "quoting":
        from engine.commands import bench_quoting

        return bench_quoting.run(
            as_json=as_json,
            seeds=seeds,
            minutes=minutes,
            maker_bps=maker_bps,
            processes=os.cpu_count() or 1,
            stdout=sys.stdout,
            stderr=sys.stderr,
        )
    from engine.commands import bench as benchmark

    return benchmark.run(as_json=as_json, recording=recording, stdout=sys.stdout, stderr=sys.stderr)


def _refuse_options_of_others(what: str) -> None:
    """An option of another kind of bench would be dropped without a word, so it is an error instead."""
    context = click.get_current_context()
    for option in context.command.params:
        kind = _OPTION_OF.get(option.name or "", what)
        is_given = context.get_parameter_source(option.name or "") is click.core.ParameterSource.COMMANDLINE
        if kind != what and is_given:
            raise click.UsageError(f"{option.opts[0]} is for bench {kind}, and this is bench {what}")
