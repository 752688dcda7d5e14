"""`bench`: what this machine does, and what the papers say."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pinnacle_tui.cli_parts import examples, json_option


@click.command(
    epilog=examples(
        "pinnacle-tui bench --json",
        "pinnacle-tui bench --input capture.jsonl.gz",
        "pinnacle-tui bench papers",
    )
)
@click.argument("what", type=click.Choice(["speed", "papers"]), default="speed")
@click.option(
    "--input", "recording", type=Path, metavar="FILE", help="Decode the frames of this recording too."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=7, metavar="N", help="Of the table that papers plays again."
)
@json_option
def bench(what: str, recording: Path | None, seed: int, as_json: bool) -> int:
    """Measure this machine, or hold our formulas against the papers they come from.

    \b
    speed     matching, book updates, decoding, strategy, risk, tick to quote
    papers    printed figures beside ours; ends with 1 where one disagrees
    """
    if what == "papers":
        from engine.commands import bench_papers

        return bench_papers.run(as_json=as_json, seed=seed, stdout=sys.stdout)
    from engine.commands import bench as benchmark

    return benchmark.run(as_json=as_json, recording=recording, stdout=sys.stdout, stderr=sys.stderr)
