"""The command line. Thin: it reads options, and hands them to `engine.commands` or to the console.

Importing this module loads click and nothing else of weight; each command imports what it needs when it runs.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from pinnacle_tui.cli_bench import bench
from pinnacle_tui.cli_config import config
from pinnacle_tui.cli_credentials import credentials, open_wizard
from pinnacle_tui.cli_doctor import doctor
from pinnacle_tui.cli_engines import attach, ctl, sessions
from pinnacle_tui.cli_export import export
from pinnacle_tui.cli_journal import journal
from pinnacle_tui.cli_network import venue
from pinnacle_tui.cli_options import resolve, setting_options
from pinnacle_tui.cli_parts import (
    PROGRAM,
    examples,
    json_option,
    refuse_options_before_command,
    require_terminal,
)
from pinnacle_tui.cli_record import record
from pinnacle_tui.cli_replay import inspect, replay
from pinnacle_tui.cli_themes import themes
from pinnacle_tui.output import abandon

if TYPE_CHECKING:
    from engine.config import Resolved
    from engine.credentials.desk import CredentialDesk
    from pinnacle_tui.key_handover import LockedKey

_PLAIN_PASSWORD = "PINNACLE_MASTER_PASSWORD"
_PASSWORD_FD = "--password-fd"
_SETTINGS = {"max_content_width": 110, "help_option_names": ["-h", "--help"]}


@click.group(
    invoke_without_command=True,
    context_settings=_SETTINGS,
    epilog=examples(
        "pinnacle-tui",
        "pinnacle-tui --no-ui --json --mode sim --seed 7 --duration 60 --speed max",
        "pinnacle-tui --no-ui --mode replay --input capture.jsonl.gz --symbol BTC-USD --speed max",
    ),
)
@setting_options
@click.option("--no-ui", "headless", is_flag=True, help="Run without a screen and print status lines.")
@json_option
@click.option("--new", "is_new", is_flag=True, help="Begin a session, even where one could be gone on with.")
@click.option(
    "--arm", "armed", multiple=True, metavar="PRODUCT", help="Live: the product, typed once more; repeatable."
)
@click.option(
    "--setup-credentials", "is_setup", is_flag=True, help="Open the screen that keeps API keys, and end."
)
@click.option("--inline", is_flag=True, help="Run the engine inside the screen's process (demonstrations).")
@click.option(
    _PASSWORD_FD,
    type=click.IntRange(min=0),
    metavar="N",
    help="Read the vault's master password from this open file, as 3 with 3<FILE.",
)
@click.option("--owner-fd", type=int, hidden=True, help="The inherited socket of the console that owns us.")
@click.option(
    "--key-fd", type=int, hidden=True, help="The inherited pipe by which that console gives the key."
)
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
@click.pass_context
def cli(
    context: click.Context,
    /,
    *,
    headless: bool,
    as_json: bool,
    inline: bool,
    is_setup: bool,
    is_new: bool,
    password_fd: int | None,
    owner_fd: int | None,
    key_fd: int | None,
    armed: tuple[str, ...],
    **options: Any,
) -> int:
    """A market maker on the built-in exchange or on a recording, with a screen or without one.

    Without a command the product runs.
    """
    if context.invoked_subcommand is not None:
        refuse_options_before_command(context)
        return 0
    if is_setup:
        if headless:
            raise click.UsageError("--setup-credentials opens a screen, and --no-ui is to run without one")
        return open_wizard(resolve(**options))
    if as_json and not headless:
        raise click.UsageError("--json goes with --no-ui; the screen does not write JSON")
    if inline and headless:
        raise click.UsageError("--inline is about the screen, and --no-ui is to run without it")
    if owner_fd is not None and not headless:
        raise click.UsageError("--owner-fd goes with --no-ui; a console starts its engine by itself")
    if key_fd is not None and owner_fd is None:
        raise click.UsageError("--key-fd goes with --owner-fd; a password is given by --password-fd")
    if not headless:
        require_terminal()
    resolved = resolve(**options)
    if inline and resolved.config.engine.mode == "live":
        raise click.UsageError("live trading does not run inside the screen's process; leave --inline out")
    arguments = list(context.obj)
    if not headless and resolved.config.engine.mode == "live" and not armed:
        armed = _ask_to_arm(resolved)
        arguments += [word for product in armed for word in ("--arm", product)]
    resolved.config.require_runnable(armed)
    if not resolved.config.uses_vault and key_fd is None:
        if password_fd is not None:
            raise click.UsageError(f"--password-fd {password_fd}: this run takes no key out of the vault")
        os.environ.pop(_PLAIN_PASSWORD, None)  # no process that we start needs it
    if not headless and not inline:
        from pinnacle_tui import launch

        locked = _locked_key(resolved, password_fd)
        return launch.run_console(resolved, _without_password_fd(arguments), locked, partial(_desk, resolved))
    from engine.commands import headless as headless_run

    if inline:
        from pinnacle_tui import launch

        key = headless_run.vault_key_of(resolved, password_fd)
        return launch.run_inline(resolved, partial(headless_run.serve, resolved, key=key, is_new=is_new))
    return headless_run.run(
        resolved,
        as_json=as_json,
        stdout=sys.stdout,
        stderr=sys.stderr,
        owner_fd=owner_fd,
        is_new=is_new,
        password_fd=password_fd,
        key_fd=key_fd,
    )


def _without_password_fd(arguments: Sequence[str]) -> list[str]:
    """For the engine of a console: the password is not for it, and its descriptor is not inherited."""
    kept, given = [], iter(arguments)
    for argument in given:
        if argument == _PASSWORD_FD:
            next(given, None)
        elif not argument.startswith(f"{_PASSWORD_FD}="):
            kept.append(argument)
    return kept


def _desk(resolved: Resolved) -> CredentialDesk:
    """Where keys are stored while a console runs."""
    from engine.commands.credential_desk import desk_of

    return desk_of(resolved.config)


def _locked_key(resolved: Resolved, password_fd: int | None) -> LockedKey | None:
    """The key in the vault for which the engine of a console waits; None where it uses none."""
    if not resolved.config.uses_vault:
        return None
    from engine.commands import unlocking
    from engine.commands.left_open import left_open_told

    with left_open_told(resolved):
        return unlocking.locked_key_of_run(resolved.config, password_fd)


def _ask_to_arm(resolved: Resolved) -> tuple[str, ...]:
    """Live trading is armed by typing what is traded, each time (R28). What was typed."""
    config = resolved.config
    click.echo(f"LIVE: orders with real money at {config.network.endpoint or 'Coinbase'}.")
    click.echo(config.limits_sentence())
    asked = " ".join(config.engine.symbols)
    typed: str = click.prompt(f"Type {asked} to arm it, or nothing to leave", default="", show_default=False)
    return tuple(typed.replace(",", " ").split())


cli.add_command(attach)
cli.add_command(sessions)
cli.add_command(ctl)
cli.add_command(themes)
cli.add_command(inspect)
cli.add_command(replay)
cli.add_command(journal)
cli.add_command(export)
cli.add_command(record)
cli.add_command(doctor)
cli.add_command(credentials)
cli.add_command(venue)
cli.add_command(bench)
cli.add_command(config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code (product: section 6)."""
    from engine.core.errors import PinnacleError
    from engine.core.foreign_text import visible_lines

    _open_closed_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(given, prog_name=PROGRAM, standalone_mode=False, obj=given)
        sys.stdout.flush()
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(visible_lines(shown.getvalue()), err=True, nl=False)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except PinnacleError as error:
        told = ". ".join([str(error).removesuffix("."), *getattr(error, "__notes__", ())])
        click.echo(f"{PROGRAM}: {visible_lines(told)}", err=True)
        return error.exit_code
    except BrokenPipeError:
        abandon(sys.stdout)
        return 1
    except OSError as error:
        abandon(sys.stdout)
        click.echo(visible_lines(f"{PROGRAM}: {error.filename or 'output'}: {error.strerror}"), err=True)
        return 74
    return code if isinstance(code, int) else 0


def _open_closed_streams() -> None:
    """Where the caller closed a standard stream, Python has None: put the null device there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 (open until the process ends)
