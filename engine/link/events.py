"""What happened in an engine, told once and in order: each event carries its number, `eseq`, from 1.

The engine keeps the last ones, so that a console that was away or slow is told what it missed.
"""

from __future__ import annotations

import msgspec


class EngineEvent(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="event"):
    """What every event carries."""

    eseq: int
    wall_ns: int
    """The market's wall time."""
    time_ns: int
    """Engine time."""
    product: str
    """Empty where it concerns the engine as a whole."""


class Filled(EngineEvent, frozen=True, gc=False, tag="filled"):
    """One execution of ours. Price in ticks, size and position in lots."""

    client_id: str
    fill_id: str
    side: int
    price: int
    size: int
    fee: int
    """Atoms, or lots where `fee_asset` is the base."""
    fee_asset: str
    is_maker: bool
    position: int
    """After it."""
    reason: str = ""
    """Of a paper fill: why it is one."""


class OrderEnded(EngineEvent, frozen=True, gc=False, tag="order_ended"):
    """An order of ours that cannot trade any more."""

    client_id: str
    venue_order_id: str
    slot: str
    purpose: str
    side: int
    price: int
    size: int
    filled: int
    state: str
    """filled, cancelled, rejected, expired."""
    reason: str
    sent_ns: int
    """Engine time."""


class Notice(EngineEvent, frozen=True, gc=False, tag="notice"):
    """Something a person should know."""

    severity: str
    """info, warning, error, critical."""
    code: str
    text: str


class Operated(EngineEvent, frozen=True, gc=False, tag="operated"):
    """A person's command was taken up."""

    name: str
    who: str
    text: str


class SettingChanged(EngineEvent, frozen=True, gc=False, tag="setting_changed"):
    """A setting has another value from now on; values as the configuration writes them."""

    key: str
    old: str
    new: str
    who: str


AnyEngineEvent = Filled | OrderEnded | Notice | Operated | SettingChanged
