"""The command line. Thin: it reads options, and hands them to `engine.commands` or to the console.

Importing this module loads click and nothing else of weight; each command imports what it needs when it runs.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinnacle_tui.cli_credentials import credentials, open_wizard
from pinnacle_tui.cli_doctor import doctor
from pinnacle_tui.cli_export import export
from pinnacle_tui.cli_journal import journal
from pinnacle_tui.cli_network import venue
from pinnacle_tui.cli_parts import (
    PROGRAM,
    Command,
    data_dir_option,
    examples,
    json_option,
    progress_bar,
    refuse_options_before_command,
    require_terminal,
    sessions_folder,
    tell,
)
from pinnacle_tui.cli_record import record
from pinnacle_tui.output import abandon

if TYPE_CHECKING:
    from engine.config import Resolved
    from engine.credentials.desk import CredentialDesk
    from pinnacle_tui.key_handover import LockedKey

_PLAIN_PASSWORD = "PINNACLE_MASTER_PASSWORD"
_PASSWORD_FD = "--password-fd"
_SETTINGS = {"max_content_width": 110, "help_option_names": ["-h", "--help"]}


_SCREEN_OPTIONS = (
    click.option("--theme", metavar="NAME", help="The colours of the screen; `themes list` names them."),
    click.option(
        "--panel", metavar="NAME[+]", help="The panel that has the focus at first; +: it fills the screen."
    ),
    click.option("--no-mouse", "mouse", flag_value="false", default=None, help="Leave the mouse alone."),
)


def _setting_options(command: Command) -> Command:
    """The options that fill the configuration, which checks their values: the rules stand once."""
    options = (
        click.option(
            "--mode", metavar="sim|paper|live|replay", help="Where the market comes from. Default: sim."
        ),
        click.option("--exchange", metavar="coinbase|coinbase-exchange", help="The venue."),
        click.option(
            "--symbol", "symbols", multiple=True, metavar="PRODUCT", help="A product, as BTC-USD; repeatable."
        ),
        click.option("--strategy", metavar="basic", help="The quoting model."),
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


def _screen_options(command: Command) -> Command:
    for option in reversed(_SCREEN_OPTIONS):
        command = option(command)
    return command


def _resolve(
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


@click.group(
    invoke_without_command=True,
    context_settings=_SETTINGS,
    epilog=examples(
        "pinnacle-tui",
        "pinnacle-tui --no-ui --json --mode sim --seed 7 --duration 60 --speed max",
        "pinnacle-tui --no-ui --mode replay --input capture.jsonl.gz --symbol BTC-USD --speed max",
    ),
)
@_setting_options
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
        return open_wizard(_resolve(**options))
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
    resolved = _resolve(**options)
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


@cli.command(epilog=examples("pinnacle-tui attach", "pinnacle-tui attach sim-btc-usd --read-only"))
@click.argument("session", required=False)
@click.option("--read-only", is_flag=True, help="Only watch: no key of this screen changes anything.")
@click.option("--config", "path", type=Path, metavar="FILE", help="The configuration file.")
@_screen_options
def attach(session: str | None, read_only: bool, path: Path | None, **options: str | None) -> int:
    """Open the screen over an engine that runs already; closing it leaves the engine running."""
    require_terminal()
    from engine.config import load_config
    from pinnacle_tui import launch

    given = {f"console.{key}": value for key, value in options.items() if value is not None}
    return launch.run_attached(session, load_config(path, os.environ, (), given), may_steer=not read_only)


@cli.command(epilog=examples("pinnacle-tui sessions", "pinnacle-tui sessions --json"))
@data_dir_option
@json_option
def sessions(data_dir: Path | None, as_json: bool) -> int:
    """List the engines that run under this user, and the sessions on disk."""
    from engine.commands import sessions as known

    answer = known.sessions(data_dir=sessions_folder(data_dir))
    return tell(answer, known.sessions_text(answer), as_json)


@cli.command(
    epilog=examples(
        "pinnacle-tui ctl status", "pinnacle-tui ctl kill", "pinnacle-tui ctl set strategy.levels=2"
    )
)
@click.argument(
    "deed",
    type=click.Choice(
        ["status", "pause", "resume", "cancel-all", "flatten", "kill", "rearm", "set", "ack", "shutdown"]
    ),
)
@click.argument("setting", required=False, metavar="[KEY=VALUE | ALERT]")
@click.option("--session", metavar="NAME", help="Which engine; needed where several run.")
@click.option("--take", is_flag=True, help="Take control from whoever holds it.")
@click.option(
    "--confirm",
    metavar="WORD",
    help="rearm asks for a product's name, set for the key where it loosens a limit of real money.",
)
@json_option
def ctl(
    deed: str, setting: str | None, session: str | None, take: bool, confirm: str | None, as_json: bool
) -> int:
    """Steer an engine without a screen: a frozen display never means no kill switch.

    \b
    status       what every running engine does, or the named one
    pause        pull all quotes and quote no more       resume   quote again
    cancel-all   cancel every order; quoting goes on
    flatten      cancel all and close the position by orders that take; then paused
    kill         cancel all and send nothing more        rearm    take that back
    set          change a setting while the engine runs  ack      of an alert, by its name: it is seen
    shutdown     cancel all, prove it, end
    """
    if (setting is None) == (deed in ("set", "ack")):
        raise click.UsageError("set takes one KEY=VALUE, ack an alert's name, and nothing else does")
    from engine.commands import ctl as control

    answer = control.ctl(deed, setting, session=session, take=take, confirmed=confirm)
    return tell(answer, control.ctl_text(answer), as_json)


@cli.group(epilog=examples("pinnacle-tui themes list", "pinnacle-tui themes check my-theme.toml"))
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


@cli.command(
    epilog=examples(
        "pinnacle-tui inspect capture.jsonl.gz --product BTC-USD --depth 5",
        "pinnacle-tui inspect full.json.gz --snapshot book.json --json",
    )
)
@click.argument("file", type=Path)
@click.option("--product", "products", multiple=True, metavar="P", help="Only this product (repeatable).")
@click.option(
    "--depth", type=click.IntRange(min=0), default=0, metavar="N", help="List the best N levels a side."
)
@click.option("--snapshot", type=Path, metavar="FILE", help="Where a full-channel capture starts from.")
@click.option("--products", "product_file", type=Path, metavar="FILE", help="The venue's list of products.")
@json_option
def inspect(
    file: Path,
    products: tuple[str, ...],
    depth: int,
    snapshot: Path | None,
    product_file: Path | None,
    as_json: bool,
) -> int:
    """Say what a recording holds, and the books it leads to."""
    from engine.commands import inspect as recording

    answer = recording.inspect(
        file, products=products, depth=depth, snapshot=snapshot, product_file=product_file
    )
    return tell(answer, recording.inspection_text(answer), as_json)


@cli.command(
    epilog=examples(
        "pinnacle-tui replay sim-btc-usd-0001",
        "pinnacle-tui replay sim-btc-usd-0001 --verify --json",
        "pinnacle-tui replay sim-btc-usd-0001 --at 1m30s",
    )
)
@click.argument("session")
@click.option(
    "--verify", is_flag=True, help="Compute every order and digest anew, name the first difference."
)
@click.option(
    "--at",
    "moment",
    metavar="SEQ|TIME",
    help="Print the state at a record (24360) or a time (90s, 09:13:38).",
)
@click.option("--config", "path", type=Path, metavar="FILE", help="The configuration file.")
@_screen_options
@data_dir_option
@json_option
@click.option(
    "--serve", "is_served", is_flag=True, hidden=True, help="Play it back for the console that owns us."
)
@click.option("--owner-fd", type=int, hidden=True, help="The inherited socket of that console.")
def replay(
    session: str,
    verify: bool,
    moment: str | None,
    path: Path | None,
    data_dir: Path | None,
    as_json: bool,
    is_served: bool,
    owner_fd: int | None,
    **options: str | None,
) -> int:
    """Travel through a recorded session; with --verify or --at without a screen."""
    if verify and moment is not None:
        raise click.UsageError("--verify goes through all of a session, --at stops in it; name one of them")
    from engine.commands import replay as past

    folder = sessions_folder(data_dir)
    if moment is not None:
        answer = past.state_at(session, folder, moment)
        return tell(answer, past.state_text(answer), as_json)
    if is_served and owner_fd is not None:
        import socket

        return past.serve(session, folder, socket.socket(fileno=owner_fd))
    if not verify:
        if as_json:
            raise click.UsageError("--json goes with --verify and --at; the screen does not write JSON")
        require_terminal()
        from engine.config import load_config
        from pinnacle_tui import launch

        given = {f"console.{key}": value for key, value in options.items() if value is not None}
        resolved = load_config(path, os.environ, (), given)
        return launch.watch_playback(past.folder_of(session, folder), resolved)
    with progress_bar("verifying", "records", as_json) as progress:
        answer = past.verify(session, folder, progress)
    tell(answer, past.verify_text(answer), as_json)
    return int(answer["exit_code"])


cli.add_command(journal)
cli.add_command(export)
cli.add_command(record)
cli.add_command(doctor)
cli.add_command(credentials)
cli.add_command(venue)


@cli.command(
    epilog=examples(
        "pinnacle-tui bench --json",
        "pinnacle-tui bench --input capture.jsonl.gz",
        "pinnacle-tui bench papers",
    )
)
@click.argument("what", type=click.Choice(["speed", "papers"]), default="speed")
@click.option(
    "--input", "recording", type=Path, metavar="FILE", help="Decode the frames of this recording too."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=7, metavar="N", help="Of the table that papers plays again."
)
@json_option
def bench(what: str, recording: Path | None, seed: int, as_json: bool) -> int:
    """Measure this machine, or hold our formulas against the papers they come from.

    \b
    speed     matching, book updates, decoding, strategy, risk, tick to quote
    papers    printed figures beside ours; ends with 1 where one disagrees
    """
    if what == "papers":
        from engine.commands import bench_papers

        return bench_papers.run(as_json=as_json, seed=seed, stdout=sys.stdout)
    from engine.commands import bench as benchmark

    return benchmark.run(as_json=as_json, recording=recording, stdout=sys.stdout, stderr=sys.stderr)


@cli.group(epilog=examples("pinnacle-tui config show", "pinnacle-tui config init --config my.toml"))
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
@_setting_options
@json_option
def show(as_json: bool, **options: Any) -> int:
    """List every setting with its value, its unit and who set it. Takes the options of a run."""
    from engine.commands import config as about

    resolved = _resolve(**options)
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
