"""Which session a run goes on with, or that it begins a new one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from engine.config import LIVE_MODES, Resolved, schema
from engine.config_schema import NOT_SET
from engine.core.clock import Clock
from engine.core.errors import PinnacleError, UsageError
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import LockedError
from engine.runtime.builder import Market
from engine.runtime.session_store import (
    FORMAT,
    SessionInfo,
    StoredSession,
    folders,
    name_for,
    number_of,
    sessions,
    write,
)
from engine.runtime.settings_change import changed_config

_OF_A_RUN: Final = frozenset({"engine.speed", "engine.duration_s", "engine.status_interval_s"})
_OF_A_MARKET: Final = ("engine.input", "exchange.name")
_OF_A_PLACE: Final = (*_OF_A_MARKET, "network.endpoint")
"""Another place of the network is another market: its orders and its money are not those of this one."""
_SECTIONS_OF_A_RUN: Final = frozenset({"console", "credentials", "network", "persistence"})
_OF_THE_ACCOUNT: Final = frozenset(
    {"engine.installation_tag", "engine.order_tag", "fees.maker_bps", "fees.taker_bps"}
)
"""What a session on the network has from the venue and from its beginning."""


def unfinished(resolved: Resolved, data_dir: Path) -> StoredSession | None:
    """The newest session of this mode, market and products, if it did not end in order."""
    wanted = resolved.texts()
    keys = _OF_A_PLACE if resolved.config.engine.mode in LIVE_MODES else _OF_A_MARKET
    for session in reversed(sessions(data_dir)):
        info = session.info
        if (
            info.mode == resolved.config.engine.mode
            and info.products == resolved.config.engine.symbols
            and all(info.settings.get(key) == wanted.get(key) for key in keys)
        ):
            return session if info.ended is None else None
    return None


def left_open(resolved: Resolved, data_dir: Path) -> str:
    """What to say of orders with real money when a start comes to nothing; empty where none are known of."""
    if resolved.config.engine.mode != "live":
        return ""
    try:
        session = unfinished(resolved, data_dir)
    except PinnacleError:
        return f"the sessions in {data_dir} cannot be read: whether orders of before are open is not known"
    if session is None:
        return ""
    return (
        f"session {session.name} was not ended in order: orders of it may be open at {session.info.venue}. "
        "Look there, or start again: they are then accounted for"
    )


def continued(session: StoredSession, resolved: Resolved) -> tuple[Resolved, dict[str, str]]:
    """The configuration that a session goes on with, and the live settings to be changed from there.

    What concerns a run alone (speed, duration, screen, disk) is taken from this start. Raises
    `UsageError` where it differs in what cannot change within a session.
    """
    begun = session.config()
    changes, fixed = {}, []
    is_live = session.info.mode in LIVE_MODES
    for key, (was, now) in _differences(session.info.settings, resolved.texts()).items():
        if is_live and key in _OF_THE_ACCOUNT:
            continue
        if schema().keys[key].meta.live:
            changes[key] = now
        else:
            fixed.append(f"{key} ({was or NOT_SET}, now {now or NOT_SET})")
    if fixed:
        raise UsageError(
            f"session {session.name} was not ended in order and would go on, but this start has other "
            f"settings: {', '.join(fixed)}. Start with the former ones to continue it, or add --new to begin "
            "another session and leave it as it is. Nothing was changed"
        )
    given = resolved.config
    config = replace(
        begun,
        engine=replace(
            begun.engine,
            speed=given.engine.speed,
            duration_s=given.engine.duration_s,
            status_interval_s=given.engine.status_interval_s,
        ),
        console=given.console,
        network=given.network,
        persistence=given.persistence,
    )
    return replace(resolved, config=config), changes


def in_force(resolved: Resolved, market: Market, changes: Mapping[str, str]) -> Resolved:
    """With what was changed while the session ran, and what this start changes. `UsageError` as for both."""
    changed = dict(market.desks[0].trader.changed_settings) | dict(changes)
    return replace(resolved, config=changed_config(resolved.config, changed)) if changed else resolved


def _differences(was: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """By key, what a setting of the session was and is to be; empty text where it is unset."""
    return {
        key: (was.get(key, ""), now.get(key, ""))
        for key in schema().keys
        if key not in _OF_A_RUN
        and key.partition(".")[0] not in _SECTIONS_OF_A_RUN
        and was.get(key) != now.get(key)
    }


def require_same_instruments(session: StoredSession, market: Market) -> None:
    """`UsageError` when the products are not made of the same increments any more."""
    built = tuple(desk.trader.instrument for desk in market.desks)
    if built != session.info.instruments:
        raise UsageError(
            f"session {session.name} was begun with other increments or minimum sizes of "
            f"{', '.join(session.info.products)} than this version knows; add --new to begin another. "
            "Nothing was changed"
        )


def require_same_account(session: StoredSession, market: Market) -> None:
    """`UsageError` when the key belongs to another account: orders of the session are not seen with it, and
    would pass for gone."""
    begun = session.info.account
    if begun and market.account and begun != market.account:
        raise UsageError(
            f"session {session.name} would go on, but the key of this start belongs to another account: "
            "start with a key of the former one, so that its orders are accounted for, or add --new to begin "
            "another session and leave it as it is. Nothing was sent"
        )


def begin(
    data_dir: Path, resolved: Resolved, market: Market, real: Clock
) -> tuple[StoredSession, JournalDirectory]:
    """A new session with the next number, and its locked folder."""
    products = resolved.config.engine.symbols
    mode = resolved.config.engine.mode
    # By their names: one that is damaged must not keep another from being begun.
    number = 1 + max((number_of(folder) for folder in folders(data_dir)), default=0)
    while (path := data_dir / name_for(number, mode, products)).exists():
        number += 1  # a start that was killed before it could say what it is
    directory = JournalDirectory.create(str(path), created_ns=real.wall_ns())
    try:
        return write(path, _info(number, resolved, market, real)), directory
    except BaseException:
        directory.close()
        raise


def _info(number: int, resolved: Resolved, market: Market, real: Clock) -> SessionInfo:
    first = market.desks[0].venue
    return SessionInfo(
        format=FORMAT,
        number=number,
        mode=resolved.config.engine.mode,
        venue=first.name,
        products=tuple(desk.product for desk in market.desks),
        version=version("pinnacle-tui"),
        created_ns=real.wall_ns(),
        start_wall_ns=market.start_wall_ns,
        displays_own=first.displays_own_orders,
        settings=resolved.texts(),
        instruments=tuple(desk.trader.instrument for desk in market.desks),
        openings=dict(market.openings),
        account=market.account,
    )


def lock(session: StoredSession, mode: str) -> JournalDirectory:
    """The locked folder of a session that goes on. `LockedError` when its engine runs."""
    try:
        return JournalDirectory.open(str(session.path))
    except LockedError as error:
        beside = ", or begin a second session beside it with --new" if mode != "live" else ""
        raise LockedError(
            f"session {session.name} runs already ({error}). No engine was started; watch it with: "
            f"pinnacle-tui attach{beside}"
        ) from None


@contextmanager
def choosing(data_dir: Path) -> Iterator[None]:
    """Two starts do not choose the same session: only one at a time is in here."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(
            f"{data_dir}: sessions cannot be kept there: {error.strerror}. No engine was started; name "
            "another folder with --data-dir"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
