"""`doctor`: look at everything that trading needs before it is needed."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click

from pinnacle_tui.cli_parts import PROGRAM, examples, json_option, tell


@click.command(
    epilog=examples(
        "pinnacle-tui doctor",
        "pinnacle-tui doctor --symbol BTC-USD --key-file key.json --json",
        "pinnacle-tui doctor --endpoint https://127.0.0.1:8443 --ca-file ca.pem",
    )
)
@click.option("--mode", metavar="paper|live", help="What it shall be good for: live demands a key.")
@click.option("--exchange", metavar="coinbase|coinbase-exchange", help="The venue.")
@click.option("--symbol", "symbols", multiple=True, metavar="PRODUCT", help="A product; repeatable.")
@click.option("--strategy", metavar="basic|avellaneda-stoikov|glft|...", help="The quoting model.")
@click.option("--endpoint", metavar="URL", help="Another place of the venue, as the local venue's.")
@click.option("--ca-file", metavar="FILE", help="A certificate to trust beside the system's.")
@click.option("--key", metavar="NAME", help="The API key, by its name in the vault.")
@click.option("--key-file", metavar="FILE", help="The API key, as Coinbase lets you download it.")
@click.option(
    "--password-fd",
    type=click.IntRange(min=0),
    metavar="N",
    help="Read the vault's master password from this open file, as 3 with 3<FILE.",
)
@click.option("--data-dir", metavar="DIR", help="The folder that holds sessions.")
@click.option("--config", "path", type=Path, metavar="FILE", help="The configuration file.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set any key for this look.")
@json_option
def doctor(
    *,
    mode: str | None,
    exchange: str | None,
    symbols: tuple[str, ...],
    strategy: str | None,
    endpoint: str | None,
    ca_file: str | None,
    key: str | None,
    key_file: str | None,
    password_fd: int | None,
    data_dir: str | None,
    path: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> int:
    """Check network, clock, products, key, fees, disk, terminal and program; say what to do.

    Nothing is sent that changes anything. Ends with 0 when nothing failed, 5 where the venue is not reached
    or refuses the key, 4 where there is no key to be had, 2 where live trading would not start with these
    settings, 1 for the rest.
    """
    from engine.commands import doctor as checkup
    from engine.commands.doctor_machine import Surroundings
    from engine.commands.unlocking import key_of_run
    from engine.config import load_config
    from engine.credentials.hardening import exposures
    from pinnacle_tui.widgets.too_small import LEAST

    flags: dict[str, str | tuple[str, ...] | None] = {
        "engine.mode": mode,
        "exchange.name": exchange,
        "engine.symbols": symbols or None,
        "engine.strategy": strategy,
        "network.endpoint": endpoint,
        "network.ca_file": ca_file,
        "credentials.key": key,
        "network.key_file": key_file,
        "persistence.data_dir": data_dir,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    size = shutil.get_terminal_size()
    around = Surroundings(
        environ=dict(os.environ),
        is_terminal=sys.stdin.isatty() and sys.stdout.isatty(),
        columns=size.columns,
        rows=size.lines,
        encoding=sys.stdout.encoding,
        least=LEAST,
        version=version(PROGRAM),
        exposures=tuple(exposures()),
    )
    resolved = load_config(path, os.environ, overrides, given)
    resolved.config.require_one_key()
    answer = checkup.doctor(resolved, around, unlock=partial(key_of_run, password_fd=password_fd))
    return tell(answer, checkup.doctor_text(answer), as_json)
