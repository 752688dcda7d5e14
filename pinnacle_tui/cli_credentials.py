"""`credentials`: the vault in which API keys are kept, and what is done with them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinnacle_tui.cli_parts import (
    Command,
    examples,
    json_option,
    refuse_options_before_command,
    require_terminal,
    tell,
)

if TYPE_CHECKING:
    from engine.commands.credential_desk import Desk
    from engine.commands.credential_passwords import Passwords
    from engine.config import Resolved

_PLACE_OPTIONS = (
    click.option("--config", "path", type=Path, metavar="FILE", help="The configuration file."),
    click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set any key for this once."),
)
_VENUE_OPTIONS = (
    click.option("--endpoint", metavar="URL", help="Another place of the venue, as the local venue's."),
    click.option("--ca-file", metavar="FILE", help="A certificate to trust beside the system's."),
)
_PASSWORD_FD = click.option(
    "--password-fd",
    type=click.IntRange(min=0),
    metavar="N",
    help="Read the master password from this open file, as 3 with 3<FILE.",
)
_NEW_PASSWORD_FD = click.option(
    "--new-password-fd",
    type=click.IntRange(min=0),
    metavar="N",
    help="Read the new master password from this open file.",
)


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options at once, in the order in which the help shows them."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "pinnacle-tui credentials",
        "pinnacle-tui credentials import cdp_api_key.json",
        "pinnacle-tui credentials test --json",
    ),
)
@_options(*_PLACE_OPTIONS, *_VENUE_OPTIONS)
@click.pass_context
def credentials(
    context: click.Context,
    path: Path | None,
    overrides: tuple[str, ...],
    endpoint: str | None,
    ca_file: str | None,
) -> int:
    """Keep API keys in an encrypted vault. Without a command a screen leads through it.

    The master password is asked for; or it comes from --password-fd, the file that
    PINNACLE_MASTER_PASSWORD_FILE names, a systemd credential `pinnacle-master`, or the system's keyring. It
    is never an argument.
    """
    if context.invoked_subcommand is not None:
        refuse_options_before_command(context)
        return 0
    return open_wizard(_resolved(path, overrides, endpoint, ca_file))


def open_wizard(resolved: Resolved) -> int:
    """The screen that leads through the vault; its exit code."""
    require_terminal("`pinnacle-tui credentials import FILE` does without it")
    from engine.commands.credential_desk import desk_of
    from pinnacle_tui.launch_credentials import run_wizard

    return run_wizard(resolved, lambda: desk_of(resolved.config))


@credentials.command("list", epilog=examples("pinnacle-tui credentials list --json"))
@_options(*_PLACE_OPTIONS, _PASSWORD_FD)
@json_option
def list_keys(path: Path | None, overrides: tuple[str, ...], password_fd: int | None, as_json: bool) -> int:
    """List the keys: name, venue, algorithm and the last four characters of the id. Never a secret."""
    from engine.commands import credentials as keys

    desk, passwords = _at_the_desk(_resolved(path, overrides), password_fd)
    answer = _locking(desk, lambda: keys.listed(desk, passwords))
    return tell(answer, keys.listed_text(answer), as_json)


@credentials.command(epilog=examples("pinnacle-tui credentials remove coinbase-2"))
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for the name to be typed once more.")
@_options(*_PLACE_OPTIONS, _PASSWORD_FD)
@json_option
def remove(
    name: str,
    yes: bool,
    path: Path | None,
    overrides: tuple[str, ...],
    password_fd: int | None,
    as_json: bool,
) -> int:
    """Take a key out of the vault, once its name was typed again."""
    from engine.commands import credentials as keys

    if not (yes or sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here: add --yes to remove it without a question")

    def is_typed(what: str) -> bool:
        typed: str = click.prompt(
            f"{what}\nType {name} to remove it, or nothing to keep it",
            default="",
            show_default=False,
            err=True,
        )
        return typed.strip() == name

    desk, passwords = _at_the_desk(_resolved(path, overrides), password_fd)
    answer = _locking(desk, lambda: keys.removed(desk, passwords, name, lambda what: yes or is_typed(what)))
    return tell(answer, keys.removed_text(answer), as_json)


@credentials.command(
    "test",
    epilog=examples(
        "pinnacle-tui credentials test",
        "pinnacle-tui credentials test coinbase --endpoint http://127.0.0.1:8080 --json",
    ),
)
@click.argument("name", required=False)
@_options(*_PLACE_OPTIONS, *_VENUE_OPTIONS, _PASSWORD_FD)
@json_option
def check_keys(
    name: str | None,
    path: Path | None,
    overrides: tuple[str, ...],
    endpoint: str | None,
    ca_file: str | None,
    password_fd: int | None,
    as_json: bool,
) -> int:
    """Ask the venue about one key or all of them: network, clock, signature, permissions, key type.

    Nothing is sent that changes anything. Ends with 0 where trading can begin or something is to be known, 4
    where a key is refused, 5 where the venue could not be asked.
    """
    from engine.commands import credentials as keys

    desk, passwords = _at_the_desk(_resolved(path, overrides, endpoint, ca_file), password_fd)
    answer = _locking(desk, lambda: keys.checked(desk, passwords, name, _teller(as_json)))
    return tell(answer, "", as_json) if as_json else int(answer["exit_code"])


@credentials.command(
    "import",
    epilog=examples(
        "pinnacle-tui credentials import cdp_api_key.json",
        "pinnacle-tui credentials import secure_config.json",
        "pinnacle-tui credentials import other.vault --yes",
    ),
)
@click.argument("file", type=Path)
@click.option("--name", metavar="NAME", help="What the key is called in the vault.")
@click.option(
    "--kind",
    type=click.Choice(["coinbase", "coinbase-exchange"]),
    help="Which venue it is for, where the file does not tell.",
)
@click.option("--yes", is_flag=True, help="Do not ask whether what was found shall be taken over.")
@_options(*_PLACE_OPTIONS, *_VENUE_OPTIONS, _PASSWORD_FD, _NEW_PASSWORD_FD)
@json_option
def import_keys(
    *,
    file: Path,
    name: str | None,
    kind: str | None,
    yes: bool,
    path: Path | None,
    overrides: tuple[str, ...],
    endpoint: str | None,
    ca_file: str | None,
    password_fd: int | None,
    new_password_fd: int | None,
    as_json: bool,
) -> int:
    """Take keys over from a file: checked at the venue, then sealed in the vault.

    \b
    the key file that Coinbase lets you download
    a vault, or one in text form (-----BEGIN PINNACLE CREDENTIALS-----)
    secure_config.json of the C++ PinnacleMM

    The first key makes the vault, and with it the master password.
    """
    from engine.commands import credential_import as taking

    if not (yes or sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here: add --yes to take over what is found")
    resolved = _resolved(path, overrides, endpoint, ca_file)
    desk, passwords = _at_the_desk(resolved, password_fd, new_password_fd)
    answer = _locking(
        desk,
        lambda: taking.imported(
            desk,
            passwords,
            file,
            name=name,
            kind=kind,
            is_confirmed=lambda question: yes or click.confirm(question, err=True),
            told=_teller(as_json),
        ),
    )
    return tell(answer, taking.imported_text(answer), as_json)


@credentials.command(epilog=examples("pinnacle-tui credentials change-password"))
@_options(*_PLACE_OPTIONS, _PASSWORD_FD, _NEW_PASSWORD_FD)
@json_option
def change_password(
    path: Path | None,
    overrides: tuple[str, ...],
    password_fd: int | None,
    new_password_fd: int | None,
    as_json: bool,
) -> int:
    """Seal the vault with another master password; the new one is typed twice."""
    from engine.commands import credentials as keys

    desk, passwords = _at_the_desk(_resolved(path, overrides), password_fd, new_password_fd)
    answer = _locking(desk, lambda: keys.changed_password(desk, passwords))
    return tell(answer, keys.changed_password_text(answer), as_json)


def _resolved(
    path: Path | None, overrides: tuple[str, ...], endpoint: str | None = None, ca_file: str | None = None
) -> Resolved:
    from engine.config import load_config

    flags = {"network.endpoint": endpoint, "network.ca_file": ca_file}
    given = {key: value for key, value in flags.items() if value is not None}
    return load_config(path, os.environ, overrides, given)


def _at_the_desk(
    resolved: Resolved, password_fd: int | None, new_password_fd: int | None = None
) -> tuple[Desk, Passwords]:
    from engine.commands.credential_desk import desk_of
    from engine.commands.credential_passwords import passwords_of

    desk = desk_of(resolved.config)
    return desk, passwords_of(resolved.config.credentials, os.environ, password_fd, new_password_fd, _say)


def _locking(desk: Desk, deed: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a command answers; the vault is locked whatever came of it."""
    try:
        return deed()
    finally:
        desk.lock()


def _say(sentence: str, *, err: bool = True) -> None:
    from engine.core.foreign_text import visible_lines

    click.echo(visible_lines(sentence), err=err)


def _teller(as_json: bool) -> Callable[[str], None]:
    """Where what happens is told as it happens: not among JSON."""

    def told(line: str) -> None:
        if not as_json or sys.stderr.isatty():
            _say(line, err=as_json)

    return told
