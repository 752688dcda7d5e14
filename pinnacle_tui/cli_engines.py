"""`attach`, `sessions`, `ctl`: engines that run already."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pinnacle_tui.cli_options import screen_options
from pinnacle_tui.cli_parts import (
    data_dir_option,
    examples,
    json_option,
    require_terminal,
    sessions_folder,
    tell,
)


@click.command(epilog=examples("pinnacle-tui attach", "pinnacle-tui attach sim-btc-usd --read-only"))
@click.argument("session", required=False)
@click.option("--read-only", is_flag=True, help="Only watch: no key of this screen changes anything.")
@click.option("--config", "path", type=Path, metavar="FILE", help="The configuration file.")
@screen_options
def attach(session: str | None, read_only: bool, path: Path | None, **options: str | None) -> int:
    """Open the screen over an engine that runs already; closing it leaves the engine running."""
    require_terminal()
    from engine.config import load_config
    from pinnacle_tui import launch

    given = {f"console.{key}": value for key, value in options.items() if value is not None}
    return launch.run_attached(session, load_config(path, os.environ, (), given), may_steer=not read_only)


@click.command(epilog=examples("pinnacle-tui sessions", "pinnacle-tui sessions --json"))
@data_dir_option
@json_option
def sessions(data_dir: Path | None, as_json: bool) -> int:
    """List the engines that run under this user, and the sessions on disk."""
    from engine.commands import sessions as known

    answer = known.sessions(data_dir=sessions_folder(data_dir))
    return tell(answer, known.sessions_text(answer), as_json)


@click.command(
    epilog=examples(
        "pinnacle-tui ctl status",
        "pinnacle-tui ctl kill",
        "pinnacle-tui ctl pause --product ETH-USD",
        "pinnacle-tui ctl set strategy.levels=2",
    )
)
@click.argument(
    "deed",
    type=click.Choice(
        [
            *("status", "pause", "resume", "cancel-all", "flatten", "kill", "rearm", "breaker", "set"),
            *("ack", "shutdown"),
        ]
    ),
)
@click.argument("setting", required=False, metavar="[KEY=VALUE | ALERT | trip | reset]")
@click.option("--session", metavar="NAME", help="Which engine; needed where several run.")
@click.option("--take", is_flag=True, help="Take control from whoever holds it.")
@click.option(
    "--confirm",
    metavar="WORD",
    help="rearm asks for a product's name, set for the key where it loosens a limit of real money.",
)
@click.option(
    "--product",
    metavar="SYMBOL",
    help="For this product alone; without it pause, resume, cancel-all, flatten, kill, rearm and breaker are "
    "for all.",
)
@click.option("--reason", metavar="TEXT", help="Why, for the journal; breaker takes it.")
@json_option
def ctl(
    deed: str,
    setting: str | None,
    session: str | None,
    take: bool,
    confirm: str | None,
    product: str | None,
    reason: str | None,
    as_json: bool,
) -> int:
    """Steer an engine without a screen: a frozen display never means no kill switch.

    \b
    status       what every running engine does, or the named one
    pause        pull all quotes and quote no more       resume   quote again
    cancel-all   cancel every order; quoting goes on
    flatten      cancel all and close the position by orders that take; then paused
    kill         cancel all and send nothing more        rearm    take that back
    breaker      trip: open the circuit breaker, no quotes for its cool-down; reset: close it at once
    set          change a setting while the engine runs  ack      of an alert, by its name: it is seen
    shutdown     cancel all, prove it, end
    """
    if (setting is None) == (deed in ("set", "ack", "breaker")):
        raise click.UsageError(
            "set takes one KEY=VALUE, ack an alert's name, breaker trip or reset, and nothing else does"
        )
    from engine.commands import ctl as control

    answer = control.ctl(
        deed, setting, session=session, take=take, confirmed=confirm, product=product, reason=reason
    )
    return tell(answer, control.ctl_text(answer), as_json)
