"""`record`: write a venue's market data down as it comes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pinnacle_tui.cli_parts import examples, json_option, tell


@click.command(
    epilog=examples(
        "pinnacle-tui record btc.jsonl.gz --symbol BTC-USD --duration 60",
        "pinnacle-tui record two.jsonl.gz --symbol BTC-USD --symbol ETH-USD --channel ticker",
    )
)
@click.argument("file", type=Path)
@click.option("--exchange", metavar="coinbase|coinbase-exchange", help="The venue. Default: coinbase.")
@click.option("--symbol", "symbols", multiple=True, metavar="PRODUCT", help="A product; repeatable.")
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="NAME",
    help="A public channel; repeatable. Books and trades.",
)
@click.option(
    "--duration", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End after so long."
)
@click.option("--endpoint", metavar="URL", help="Another place of the venue, as the local venue's.")
@click.option("--ca-file", metavar="FILE", help="A certificate to trust beside the system's.")
@click.option("--config", "path", type=Path, metavar="CONFIG", help="The configuration file.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set any key for this recording."
)
@json_option
def record(
    *,
    file: Path,
    exchange: str | None,
    symbols: tuple[str, ...],
    channels: tuple[str, ...],
    duration: float | None,
    endpoint: str | None,
    ca_file: str | None,
    path: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> int:
    """Record market data into FILE (.jsonl, or .jsonl.gz), until Ctrl+C or for a duration.

    Every frame is kept byte for byte with the time it came; reconnects are in it too. No key is used and
    nothing private is recorded. The file replays (--mode replay --input FILE) and can be inspected. A disk
    that is full ends it with 74 and leaves all that came before.
    """
    from engine.commands import record as recording
    from engine.config import load_config

    flags: dict[str, str | tuple[str, ...] | None] = {
        "exchange.name": exchange,
        "engine.symbols": symbols or None,
        "network.endpoint": endpoint,
        "network.ca_file": ca_file,
    }
    given = {key: value for key, value in flags.items() if value is not None}
    config = load_config(path, os.environ, overrides, given).config
    answer = recording.run(
        config.exchange.name,
        config.network,
        config.engine.symbols,
        channels,
        file,
        duration_s=duration,
        stderr=sys.stderr,
    )
    return tell(answer, recording.recorded_text(answer), as_json)
