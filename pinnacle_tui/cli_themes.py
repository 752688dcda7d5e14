"""`themes`: the colours of the screen."""

from __future__ import annotations

from pathlib import Path

import click

from pinnacle_tui.cli_parts import examples, json_option, tell


@click.group(epilog=examples("pinnacle-tui themes list", "pinnacle-tui themes check my-theme.toml"))
def themes() -> None:
    """The colours of the screen."""


@themes.command("list", epilog=examples("pinnacle-tui themes list"))
@json_option
def list_themes(as_json: bool) -> int:
    """List every theme and where it comes from."""
    from pinnacle_tui import theme_check

    answer = theme_check.theme_list()
    return tell(answer, theme_check.theme_list_text(answer), as_json)


@themes.command("check", epilog=examples("pinnacle-tui themes check my-theme.toml"))
@click.argument("file", type=Path, required=False)
@json_option
def check_themes(file: Path | None, as_json: bool) -> int:
    """Check one theme file, or all of them, and change nothing."""
    from pinnacle_tui import theme_check

    answer = theme_check.theme_check(file)
    return tell(answer, theme_check.theme_check_text(answer), as_json)
