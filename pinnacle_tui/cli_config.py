"""`config`: every setting, its value, and who set it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from pinnacle_tui.cli_options import resolve, setting_options
from pinnacle_tui.cli_parts import Command, examples, json_option, tell


@click.group(epilog=examples("pinnacle-tui config show", "pinnacle-tui config init --config my.toml"))
def config() -> None:
    """Where settings come from, what they are, what they may be."""


def _path_option(command: Command) -> Command:
    return click.option("--config", "path", type=Path, metavar="FILE", help="The configuration file.")(
        command
    )


@config.command(epilog=examples("pinnacle-tui config where"))
@_path_option
@json_option
def where(path: Path | None, as_json: bool) -> int:
    """Name the configuration file that is read."""
    from engine.commands import config as about

    answer = about.where(path, os.environ)
    return tell(answer, about.where_text(answer), as_json)


@config.command(
    epilog=examples(
        "pinnacle-tui config show", "pinnacle-tui config show --mode replay --set strategy.levels=2"
    )
)
@setting_options
@json_option
def show(as_json: bool, **options: Any) -> int:
    """List every setting with its value, its unit and who set it. Takes the options of a run."""
    from engine.commands import config as about

    resolved = resolve(**options)
    return tell(about.show(resolved), about.show_text(resolved), as_json)


@config.command(epilog=examples("pinnacle-tui config check", "pinnacle-tui config check my.toml"))
@click.argument("file", type=Path, required=False)
@json_option
def check(file: Path | None, as_json: bool) -> int:
    """Check a configuration file and change nothing."""
    from engine.commands import config as about

    answer = about.check(file, os.environ)
    return tell(answer, about.check_text(answer), as_json)


@config.command(epilog=examples("pinnacle-tui config schema --json"))
@json_option
def schema(as_json: bool) -> int:
    """List every setting with its type, unit, bounds, default and meaning."""
    from engine.commands import config as about

    return tell(about.describe(), about.describe_text(), as_json)


@config.command(epilog=examples("pinnacle-tui config init", "pinnacle-tui config init --config my.toml"))
@_path_option
@json_option
def init(path: Path | None, as_json: bool) -> int:
    """Write a commented configuration file. An existing file is never overwritten."""
    from engine.commands import config as about

    answer = about.init(path, os.environ)
    return tell(answer, about.init_text(answer), as_json)
