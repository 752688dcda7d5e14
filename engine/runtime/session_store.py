"""Sessions on disk: one folder each, with the journal and `session.json`, found by name.

Sessions of a data folder are numbered in the order they were begun, whatever the clock said; the highest
number is the newest.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
from platformdirs import user_state_path

from engine.config import Config, stored_config
from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.exchange.account import Opening
from engine.persistence.disk import DISK, Disk
from engine.persistence.errors import DamageError, JournalError
from engine.runtime.desk import Desk

FORMAT: Final = 1
_FILE: Final = "session.json"
_NAME: Final = re.compile(r"[a-z0-9.-]+-(\d{4,})")


class End(msgspec.Struct, frozen=True):
    """How a session ended in order, with its figures then."""

    wall_ns: int
    """Of the market."""
    reason: str
    exit_code: int
    events: int
    """What all Traders were shown."""
    profit: dict[str, str | None]
    """By product, in its quote currency; None where there was no price to value the position at."""
    digests: dict[str, str]
    fills: int | None = None
    """Executions of ours; None where an older version did not say."""


class SessionInfo(msgspec.Struct, frozen=True):
    """What a session is: everything that its Traders were built from, besides the journal."""

    format: int
    number: int
    mode: str
    venue: str
    products: tuple[str, ...]
    version: str
    created_ns: int
    """Wall clock of the machine, for people."""
    start_wall_ns: int
    """Wall time of the market at engine time 0."""
    displays_own: bool
    """Whether the market data contains our own orders."""
    settings: dict[str, str]
    """The configuration that is in force from the start."""
    instruments: tuple[Instrument, ...]
    openings: dict[str, Opening] = {}
    """By product, what the account had at the start; without one the settings say it."""
    ended: End | None = None
    """None while it runs, and after a crash."""
    baselines: dict[str, dict[str, Decimal]] = {}
    """By product and currency, what the account holds beyond our record and a person has accepted."""
    account: str = ""
    """As `Market` has it; empty also where an older version did not say."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session's folder and what it says of itself."""

    path: Path
    info: SessionInfo

    @property
    def name(self) -> str:
        """What it is called by."""
        return self.path.name

    def config(self) -> Config:
        """The configuration it was begun with. `UsageError` when this version cannot express it."""
        return stored_config(self.info.settings, f"{self.path / _FILE}, begun by version {self.info.version}")


def default_data_dir() -> Path:
    """Where sessions are kept unless somebody says otherwise."""
    return user_state_path("pinnacle-tui", appauthor=False) / "sessions"


def data_dir_of(config: Config) -> Path:
    """Where the sessions of a configuration are kept."""
    given = config.persistence.data_dir
    return default_data_dir() if given is None else Path(os.path.expanduser(given))


def sessions(data_dir: Path) -> list[StoredSession]:
    """The sessions of a data folder, oldest first. Raises as `folders` and `load`."""
    return sorted(map(load, folders(data_dir)), key=lambda session: session.info.number)


def folders(data_dir: Path) -> list[Path]:
    """The folders of sessions in a data folder, in no order. Folders that are none are left alone."""
    try:
        names = [entry.name for entry in os.scandir(data_dir) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{data_dir}: cannot be read: {error.strerror}") from None
    return [
        data_dir / name for name in names if _NAME.fullmatch(name) and (data_dir / name / _FILE).is_file()
    ]


def number_of(folder: Path) -> int:
    """The number in the name of a session's folder."""
    named = _NAME.fullmatch(folder.name)
    assert named is not None
    return int(named[1])


def find(wanted: str, data_dir: Path) -> StoredSession:
    """A session by its name, its folder, or a data folder, which means its newest session.

    Raises `UsageError` where there is none.
    """
    for path in (data_dir / wanted, Path(os.path.expanduser(wanted))):
        if (path / _FILE).is_file():
            return load(path)
        if path.is_dir() and (held := sessions(path)):
            return held[-1]
    names = [session.name for session in sessions(data_dir)]
    near = difflib.get_close_matches(wanted, names, 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else "; `pinnacle-tui sessions` lists them" if names else ""
    raise UsageError(f"there is no session {wanted} (looked in {data_dir}){hint}")


def load(path: Path) -> StoredSession:
    """The session in a folder."""
    file = path / _FILE
    try:
        info = msgspec.json.decode(file.read_bytes(), type=SessionInfo)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise DamageError(f"{file} is damaged or of another version ({error}); nothing was changed") from None
    if info.format != FORMAT:
        raise DamageError(
            f"{file} has format {info.format}, this version reads {FORMAT}; nothing was changed"
        )
    return StoredSession(path, info)


def name_for(number: int, mode: str, products: tuple[str, ...]) -> str:
    """What a session is called: `sim-btc-usd-0007`."""
    return f"{mode}-{products[0].lower()}-{number:04}"


def end_of(desks: Sequence[Desk], wall_ns: int, reason: str, exit_code: int) -> End:
    """How a session ended, with the figures of its desks; no order is open then."""
    profits = {}
    for desk in desks:
        profit, instrument = desk.trader.ledger.profit, desk.trader.instrument
        profits[desk.product] = None if profit is None else instrument.money_text(profit)
    return End(
        wall_ns=wall_ns,
        reason=reason,
        exit_code=exit_code,
        events=sum(desk.trader.event_count for desk in desks),
        profit=profits,
        digests={desk.product: desk.trader.digest() for desk in desks},
        fills=sum(desk.trader.ledger.fill_count for desk in desks),
    )


def write(path: Path, info: SessionInfo, ended: End | None = None, disk: Disk = DISK) -> StoredSession:
    """Put what a session says of itself on the disk, whole or not at all; `ended` once it has ended."""
    if ended is not None:
        info = msgspec.structs.replace(info, ended=ended)
    text = msgspec.json.format(msgspec.json.encode(info), indent=1)
    try:
        disk.write_whole(str(path), _FILE, text + b"\n")
    except OSError as error:
        raise JournalError(f"{path / _FILE} cannot be written: {error.strerror}; no order is open") from None
    return StoredSession(path, info)
