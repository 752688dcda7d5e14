"""`venue`: the command that stands for Coinbase on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pinnacle_tui.cli_parts import examples, json_option, tell


def _list_faults(context: click.Context, parameter: click.Parameter, is_asked: bool) -> None:
    if not is_asked or context.resilient_parsing:
        return
    from engine.commands.venue import catalogue_text

    click.echo(catalogue_text())
    context.exit()


@click.command(
    epilog=examples(
        "pinnacle-tui venue",
        "pinnacle-tui venue --tls --simulate BTC-USD --simulate ETH-USD --fees 40,60",
        "pinnacle-tui venue --capture coinbase.jsonl.gz --speed max --fault ws-drop:channel=l2_data,nth=100",
        "pinnacle-tui venue --control --fault rest-status:503,path=*/orders,times=3",
    )
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    metavar="N",
    help="Where to listen; 0: any free port.",
)
@click.option("--tls", "is_tls", is_flag=True, help="Serve https, with a certificate made for this machine.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the key files and the certificate are written. Default: local-venue in the state folder.",
)
@click.option(
    "--simulate",
    "symbols",
    multiple=True,
    metavar="PRODUCT",
    help="A product of the simulated market; repeatable. Default: BTC-USD and ETH-USD.",
)
@click.option(
    "--capture",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Play this recording of market data in place of a simulated market.",
)
@click.option("--speed", default="1", metavar="X|max", help="How fast the recording plays. Default: 1.")
@click.option("--seed", type=click.IntRange(min=0), default=1, metavar="N", help="Of the market and faults.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[:ITEM,...]",
    help="Do something wrong, as ws-drop or rest-status:503,nth=2; repeatable.",
)
@click.option(
    "--list-faults",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_faults,
    help="Name all faults and what they take, and end.",
)
@click.option(
    "--control", "is_controlled", is_flag=True, help="Serve /_control: faults and other people's orders."
)
@click.option("--fees", metavar="MAKER,TAKER", help="In basis points. Default: the entry tier, 60,120.")
@json_option
def venue(
    *,
    port: int,
    is_tls: bool,
    folder: Path | None,
    symbols: tuple[str, ...],
    capture: Path | None,
    speed: str,
    seed: int,
    faults: tuple[str, ...],
    is_controlled: bool,
    fees: str | None,
    as_json: bool,
) -> int:
    """Run a local venue that speaks Coinbase Advanced Trade and Coinbase Exchange.

    It listens on this machine only, writes the key files of its one account, says how to connect, and runs
    until ctrl-c. Nothing in it is real money.
    """
    from engine.commands.venue import VenueOptions, run_venue, venue_text
    from pinnacle_tui.paths import state_folder

    options = VenueOptions(
        folder=folder or state_folder() / "local-venue",
        port=port,
        is_tls=is_tls,
        symbols=symbols,
        capture=capture,
        speed=speed,
        seed=seed,
        faults=faults,
        is_controlled=is_controlled,
        fees=fees,
    )

    def announce(answer: dict[str, Any]) -> None:
        tell(answer, venue_text(answer), as_json)

    return run_venue(options, announce)
