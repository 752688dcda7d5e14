"""Starts the console: the engine first, so that it comes up while the screen is still being loaded."""

from __future__ import annotations

import gc
import os
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from engine.config import Resolved
from engine.core.errors import PinnacleError
from engine.core.foreign_text import visible_lines
from engine.link.messages import Role
from engine.link.view import Playback, View
from pinnacle_tui.engine_host import (
    AttachedEngine,
    ChildEngine,
    ChildPlayback,
    Ending,
    EngineHost,
    InlineEngine,
)
from pinnacle_tui.output import abandon
from pinnacle_tui.paths import config_folder, state_folder

if TYPE_CHECKING:
    from engine.credentials.desk import CredentialDesk
    from pinnacle_tui.app import ConsoleApp
    from pinnacle_tui.key_handover import KeyHandover, LockedKey
    from pinnacle_tui.session import EngineSession

    MakeDesk = Callable[[], CredentialDesk]

_DIGEST_SHOWN: Final = 16
_LOGS_KEPT: Final = 20
_MOST_CRASHES: Final = 3
"""Of the screen, within a minute, before it is not started again."""
_MINUTE_S: Final = 60.0


class ConsoleError(PinnacleError):
    """The console cannot be started, or cannot be kept up."""


def run_console(
    resolved: Resolved,
    arguments: Sequence[str],
    locked: LockedKey | None = None,
    make_desk: MakeDesk | None = None,
) -> int:
    """The screen over an engine of its own, started with the same arguments; the exit code.

    `locked` is the key in the vault for which that engine waits while it is being loaded, where it needs one.
    `make_desk` makes the desk at which keys are stored while it runs.
    """
    if locked is None:
        return _run(_started(arguments), resolved, Role.OWNER, make_desk=make_desk)
    from pinnacle_tui.key_handover import KeyHandover

    handover = KeyHandover(locked)
    try:
        try:
            host = _started([*arguments, *handover.options], inherits=[handover.inherits])
        finally:
            handover.engine_started()
        return _run(host, resolved, Role.OWNER, handover=handover, make_desk=make_desk)
    finally:
        handover.refuse()


def _started(arguments: Sequence[str], *, inherits: Sequence[int] = ()) -> ChildEngine:
    command = [sys.executable, "-m", "pinnacle_tui", "--no-ui", *arguments]
    try:
        return ChildEngine(command, _fresh_log(state_folder() / "logs"), inherits=inherits)
    except OSError as error:
        raise ConsoleError(f"the engine cannot be started: {error.strerror}; nothing was traded") from None


def run_attached(session: str | None, resolved: Resolved, *, may_steer: bool) -> int:
    """The screen over an engine that runs already; it goes on afterwards."""
    from engine.link.runtime_folder import default_folder, resolve

    host = AttachedEngine(resolve(default_folder(), session))
    return _run(host, resolved, Role.CONTROL if may_steer else Role.VIEW, may_kill=may_steer)


def watch_playback(session: str | os.PathLike[str], resolved: Resolved, arguments: Sequence[str] = ()) -> int:
    """The screen over a recorded session, played back by a child process; the exit code.

    `session` is what `replay` takes, `arguments` are further options of it.
    """
    command = [sys.executable, "-m", "pinnacle_tui", "replay", os.fspath(session), "--serve", *arguments]
    try:
        host = ChildPlayback(command, _fresh_log(state_folder() / "logs"))
    except OSError as error:
        raise ConsoleError(f"the playback cannot be started: {error.strerror}") from None
    return _run(host, resolved, Role.OWNER)


class Outcome(Protocol):
    """How an engine's run ended; see `engine.runtime.engine.Outcome`."""

    @property
    def reason(self) -> str: ...
    @property
    def exit_code(self) -> int: ...


Serve = Callable[[socket.socket], Coroutine[Any, Any, Outcome]]


def run_inline(resolved: Resolved, serve: Serve) -> int:
    """The screen and the engine in one process; `serve` runs the engine for the console behind a socket."""

    return _run(_inline(serve), resolved, Role.OWNER)


def _inline(serve: Serve) -> InlineEngine:
    async def until_end(owner: socket.socket) -> Ending:
        outcome = await serve(owner)
        return Ending(outcome.exit_code, f"the engine has ended: {outcome.reason}")

    return InlineEngine(until_end)


def inline_session(serve: Serve) -> EngineSession:
    """A session with an engine on the loop that the session is started on."""
    return _session(_inline(serve), Role.OWNER)


def _session(host: EngineHost, role: Role, *, may_kill: bool = True) -> EngineSession:
    from pinnacle_tui.session import EngineSession

    return EngineSession(host, role=role, build=version("pinnacle-tui"), may_kill=may_kill)


def console_app(
    session: EngineSession,
    resolved: Resolved,
    *,
    notices: Sequence[str] = (),
    remembers: bool = True,
    handover: KeyHandover | None = None,
    make_desk: MakeDesk | None = None,
) -> ConsoleApp:
    """The screen over a session, with the user's themes and keys; `remembers` what it looked like last."""
    from pinnacle_tui.app import ConsoleApp
    from pinnacle_tui.keymap import Keymap
    from pinnacle_tui.remembered import Remembered
    from pinnacle_tui.themes import ThemeLibrary, has_sixteen_colours

    library = ThemeLibrary(is_sixteen=has_sixteen_colours() and "NO_COLOR" not in os.environ)
    library.load()
    return ConsoleApp(
        session,
        resolved.config.console,
        keymap=Keymap.load(config_folder() / "keymap.toml"),
        themes=library,
        remembered=Remembered(state_folder() / "console.json" if remembers else None),
        is_theme_given=resolved.sources["console.theme"] != "default",
        notices=notices,
        handover=handover,
        make_desk=make_desk,
    )


def _run(
    host: EngineHost,
    resolved: Resolved,
    role: Role,
    *,
    may_kill: bool = True,
    handover: KeyHandover | None = None,
    make_desk: MakeDesk | None = None,
) -> int:
    settings = resolved.config.console
    # Nothing of what is being loaded will ever be garbage; the screen collects once it stands.
    gc.disable()
    session = _session(host, role, may_kill=may_kill)
    notices: list[str] = []
    crashes: list[float] = []
    while True:
        app = console_app(session, resolved, notices=notices, handover=handover, make_desk=make_desk)
        app.run(mouse=settings.mouse)
        if app.crash is None:
            break
        report = crash_report(app.crash)
        if host.is_in_process:
            raise ConsoleError(
                "the screen failed, and the engine with it, which ran in the same process; its orders were "
                f"simulated and are gone. What happened is in {report}"
            )
        if isinstance(host, ChildPlayback):
            # It knows nobody but the console that started it, and nothing is lost with it.
            raise ConsoleError(
                f"the screen failed, and the playback ended with it. What happened is in {report}"
            )
        now = time.monotonic()
        crashes = [at for at in crashes if now - at < _MINUTE_S] + [now]
        if len(crashes) >= _MOST_CRASHES:
            raise ConsoleError(
                f"the screen failed {len(crashes)} times within a minute and stays off; the engine follows "
                f"console.on_owner_lost = {settings.on_owner_lost}. What happened is in {report}"
            )
        notices = [f"the screen failed and was started anew; the engine was not touched. Report: {report}"]
    refused = handover.ending if handover is not None else ""
    _tell("\n".join(words for words in (refused, last_words(session), app.unsaved) if words))
    return app.return_code or 0


def _tell(words: str) -> None:
    """Write to the terminal. One that is gone changes nothing about how the run ended."""
    try:
        sys.stderr.flush()  # what the screen has left there
        sys.stdout.write(f"{visible_lines(words)}\n" if words else "")
        sys.stdout.flush()
    except OSError:
        abandon(sys.stdout, sys.stderr)


def last_words(session: EngineSession) -> str:
    """How the run ended, in one line a product, for the terminal that the screen has given back."""
    from pinnacle_tui.numbers import Numbers

    mirror, ending = session.mirror, session.ending
    lines = []
    if ending is not None and (ending.code or mirror.view is None):
        lines.append(ending.sentence)
    view, bye = mirror.view, mirror.bye
    if view is not None and view.playback is not None:
        return "\n".join([*lines, *_left_at(session, view, view.playback)])
    for book in view.products if view is not None else ():
        product = mirror.product(book.symbol)
        if product is None:
            continue
        numbers = Numbers.of(product, book)
        pnl, quote, base = book.pnl, product.quote, product.base
        parts = [
            f"P&L {numbers.money(pnl.total).strip()} {quote}",
            f"position {numbers.exact_size(pnl.position)} {base}",
            f"fills {pnl.fills}",
        ]
        if bye is not None and book.symbol in bye.digests:
            parts.append(f"digest {bye.digests[book.symbol][:_DIGEST_SHOWN]}")
        lines.append(f"{book.symbol}: {', '.join(parts)}")
    if bye is not None and bye.open_orders:
        lines.append(f"possibly open: {', '.join(bye.open_orders)}")
    if ending is None and mirror.hello is not None:
        lines.append(f"the engine goes on: pinnacle-tui attach {mirror.hello.session}")
    return "\n".join(lines)


def _left_at(session: EngineSession, view: View, playback: Playback) -> Iterator[str]:
    """Where a playback was left, for going there again, and whether it was what had been recorded."""
    from pinnacle_tui.widgets.words import exact_time

    hello = session.mirror.hello
    name = hello.plays if hello is not None else ""
    moment = exact_time(view.market_wall_ns)
    yield f"{name}: left at record {playback.position_seq} of {playback.last_seq}, {moment}"
    if playback.divergence:
        yield f"diverged: {playback.divergence}"


def _fresh_log(folder: Path) -> Path:
    """A new file name for an engine's log; the oldest files beyond those kept are removed."""
    for old in sorted(folder.glob("engine-*.log"))[: -_LOGS_KEPT + 1]:
        old.unlink(missing_ok=True)
    return folder / f"engine-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.log"


def crash_report(crash: BaseException) -> Path:
    """Write what happened to a file: the calls, not the values in them."""
    from engine.credentials.log_filter import redacted_crash

    folder = state_folder() / "logs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"screen-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(redacted_crash(crash))
    return path
