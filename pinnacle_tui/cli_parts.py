"""What commands have in common: options, answers in both forms, a progress bar."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

PROGRAM = "pinnacle-tui"
Command = TypeVar("Command", bound=Callable[..., Any])
_TERMS_THAT_CANNOT_DRAW = ("dumb", "unknown")


def examples(*lines: str) -> str:
    """An epilog that click prints line by line."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(command)


def data_dir_option(command: Command) -> Command:
    """`--data-dir`."""
    return click.option("--data-dir", type=Path, metavar="DIR", help="The folder that holds sessions.")(
        command
    )


def sessions_folder(given: Path | None) -> Path:
    """Where sessions are looked for: as given, else as the configuration says."""
    if given is not None:
        return given
    from engine.commands.stored_sessions import folder_of
    from engine.config import load_config

    return folder_of(load_config(None, os.environ, (), {}).config)


def tell(answer: Mapping[str, Any], text: str, as_json: bool) -> int:
    """Print an answer in the form that was asked for; the exit code it names, else 0.

    Names in it may be a stranger's: JSON spells what is not ASCII with escapes, text shows what can be seen.
    """
    from engine.core.foreign_text import visible_lines

    click.echo(json.dumps(answer) if as_json else visible_lines(text))
    return int(answer.get("exit_code", 0))


def require_terminal(otherwise: str = "add --no-ui to run without it") -> None:
    """`click.UsageError` where no screen can be drawn; `otherwise` says how to do without one."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(f"the screen needs a terminal and this is none; {otherwise}")
    term = os.environ.get("TERM", "")
    if term in _TERMS_THAT_CANNOT_DRAW:
        raise click.UsageError(f"TERM={term}: this terminal cannot draw a screen; {otherwise}")


def refuse_options_before_command(context: click.Context) -> None:
    """An option before a command would be dropped without a word, so it is an error instead."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is click.core.ParameterSource.COMMANDLINE:
            name = option.opts[0]
            raise click.UsageError(
                f"{name} stands before {context.invoked_subcommand} and would do nothing there"
            )


@contextmanager
def progress_bar(
    label: str, unit: str, as_json: bool, *, size: int = 1
) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and time left on standard error, where that is a terminal and nobody wants JSON.

    What it gives is to be told how much is done and how much there is; `size` of it is one `unit`.
    """
    if as_json or not sys.stderr.isatty():
        yield lambda done, whole: None
        return
    began = time.monotonic()

    def rate(done: int | None) -> str:
        seconds = time.monotonic() - began
        return f"{done / size / seconds:,.0f} {unit}/s" if done and seconds else ""

    with click.progressbar(length=1, label=label, file=sys.stderr, show_eta=True, item_show_func=rate) as bar:

        def progress(done: int, whole: int) -> None:
            bar.length = max(1, whole)
            bar.update(done - bar.pos, done)

        yield progress
