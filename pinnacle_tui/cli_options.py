"""The options that fill the configuration, and the configuration they lead to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinnacle_tui.cli_parts import Command

if TYPE_CHECKING:
    from engine.config import Resolved

_SCREEN_OPTIONS = (
    click.option("--theme", metavar="NAME", help="The colours of the screen; `themes list` names them."),
    click.option(
        "--panel", metavar="NAME[+]", help="The panel that has the focus at first; +: it fills the screen."
    ),
    click.option("--no-mouse", "mouse", flag_value="false", default=None, help="Leave the mouse alone."),
)


def setting_options(command: Command) -> Command:
    """The options that fill the configuration, which checks their values: the rules stand once."""
    options = (
        click.option(
            "--mode", metavar="sim|paper|live|replay", help="Where the market comes from. Default: sim."
        ),
        click.option("--exchange", metavar="coinbase|coinbase-exchange", help="The venue."),
        click.option(
            "--symbol", "symbols", multiple=True, metavar="PRODUCT", help="A product, as BTC-USD; repeatable."
        ),
        click.option("--strategy", metavar="basic|avellaneda-stoikov|glft|...", help="The quoting model."),
        click.option("--config", "path", type=Path, metavar="FILE", help="The configuration file."),
        click.option(
            "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set any key for this run."
        ),
        click.option("--input", "input_", metavar="FILE", help="The recording that replay mode reads."),
        click.option("--speed", metavar="X|max", help="Engine seconds per second of real time. Default: 1."),
        click.option("--seed", metavar="N", help="The same seed gives the same simulated market."),
        click.option("--duration", metavar="SECONDS", help="End after this much engine time."),
        click.option("--data-dir", metavar="DIR", help="The folder that holds sessions."),
        click.option("--endpoint", metavar="URL", help="Another place of the venue, as the local venue's."),
        click.option("--ca-file", metavar="FILE", help="A certificate to trust beside the system's."),
        click.option("--key", metavar="NAME", help="The API key, by its name in the vault."),
        click.option("--key-file", metavar="FILE", help="The API key, as Coinbase lets you download it."),
        *_SCREEN_OPTIONS,
    )
    for option in reversed(options):
        command = option(command)
    return command


def screen_options(command: Command) -> Command:
    for option in reversed(_SCREEN_OPTIONS):
        command = option(command)
    return command


def resolve(
    *,
    mode: str | None,
    exchange: str | None,
    symbols: tuple[str, ...],
    strategy: str | None,
    path: Path | None,
    overrides: tuple[str, ...],
    input_: str | None,
    speed: str | None,
    seed: str | None,
    duration: str | None,
    data_dir: str | None,
    endpoint: str | None,
    ca_file: str | None,
    key: str | None,
    key_file: str | None,
    theme: str | None,
    panel: str | None,
    mouse: str | None,
) -> Resolved:
    from engine.config import load_config

    flags: dict[str, str | tuple[str, ...] | None] = {
        "engine.mode": mode,
        "exchange.name": exchange,
        "engine.symbols": symbols or None,
        "engine.strategy": strategy,
        "engine.input": input_,
        "engine.speed": speed,
        "simulator.seed": seed,
        "engine.duration_s": duration,
        "persistence.data_dir": data_dir,
        "network.endpoint": endpoint,
        "network.ca_file": ca_file,
        "credentials.key": key,
        "network.key_file": key_file,
        "console.theme": theme,
        "console.panel": panel,
        "console.mouse": mouse,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    return load_config(path, os.environ, overrides, given)
