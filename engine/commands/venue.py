"""`venue`: a venue of one's own, on this machine, that speaks Coinbase's two APIs."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from engine.core.clock import Clock, SystemClock
from engine.core.errors import UsageError
from engine.exchange.simulator.settings import SimulatorSettings
from engine.local_venue.control import PREFIX, Control
from engine.local_venue.faults.catalogue import catalogue_text
from engine.local_venue.faults.interference import FaultInterference
from engine.local_venue.faults.plan import FaultPlan, parse_fault
from engine.local_venue.faults.strangers import CoreStrangers
from engine.local_venue.fee_tiers import single_tier
from engine.local_venue.keys import make_cdp_key, make_exchange_key, write_key
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import VenueSettings
from engine.local_venue.tls import server_context, tls_files

__all__ = ["VenueOptions", "catalogue_text", "run_venue", "serve", "venue_settings", "venue_text"]

_BPS: Final = Decimal(10_000)
_LARGEST_BPS: Final = Decimal(1_000)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
PROGRAM: Final = "pinnacle-tui"


@dataclass(frozen=True, slots=True)
class VenueOptions:
    """What the command line asks for; texts are as they were typed."""

    folder: Path
    """Where the key files and the certificate are written."""
    port: int = 0
    is_tls: bool = False
    symbols: tuple[str, ...] = ()
    """Products of a simulated market; none: those of `capture`, else BTC-USD and ETH-USD."""
    capture: Path | None = None
    speed: str = "1"
    seed: int = 1
    faults: tuple[str, ...] = ()
    is_controlled: bool = False
    fees: str | None = None


def run_venue(
    options: VenueOptions,
    announce: Callable[[dict[str, Any]], None],
    *,
    clock: Clock | None = None,
    stop: asyncio.Event | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM (or until `stop` is set); 0. Raises `UsageError` for what cannot be.

    `announce` is told once, when clients may connect: addresses, files, and how to connect.
    """
    return asyncio.run(serve(options, announce, clock or SystemClock(), stop))


async def serve(
    options: VenueOptions,
    announce: Callable[[dict[str, Any]], None],
    clock: Clock,
    stop: asyncio.Event | None = None,
) -> int:
    """See `run_venue`; on the caller's loop."""
    stop = stop or asyncio.Event()
    settings = venue_settings(options)
    plan = FaultPlan([parse_fault(text) for text in options.faults], options.seed)
    cdp_key, exchange_key = make_cdp_key(), make_exchange_key()
    files = {
        "advanced": write_key(options.folder, cdp_key),
        "exchange": write_key(options.folder, exchange_key),
    }
    tls = tls_files(options.folder, clock) if options.is_tls else None
    venue = LocalVenue(
        settings,
        clock=clock,
        cdp_keys=(cdp_key,),
        exchange_keys=(exchange_key,),
        interference=FaultInterference(plan, CoreStrangers(lambda: venue.core)),
        ssl_context=None if tls is None else server_context(tls),
        port=options.port,
    )
    if options.is_controlled:
        venue.faces.append(Control(venue.core, plan))
    with _stopping(stop):
        async with venue:
            announce(_answer(options, venue, files, None if tls is None else tls.ca))
            await stop.wait()
    return 0


def venue_settings(options: VenueOptions) -> VenueSettings:
    """What the options mean. `UsageError` says which of them cannot be."""
    settings = VenueSettings(
        products=tuple(dict.fromkeys(options.symbols)), simulator=SimulatorSettings(seed=options.seed)
    )
    if options.capture is not None:
        if options.symbols:
            raise UsageError("--simulate and --capture name two markets; name one")
        settings = replace(settings, capture=options.capture, capture_speed=_speed(options.speed))
    elif options.speed != "1":
        raise UsageError(f"--speed {options.speed}: a simulated market runs as time goes by")
    if options.fees is not None:
        settings = replace(settings, fee_tiers=single_tier(*_fees(options.fees)))
    return settings


def venue_text(answer: dict[str, Any]) -> str:
    """What is announced, for people."""
    lines = [f"local venue at {answer['url']}: {', '.join(answer['products'])}, {answer['market']}"]
    if answer["ca_file"]:
        lines.append(f"  certificate authority  {answer['ca_file']}")
    lines += [f"  key of {name:<15} {path}" for name, path in answer["key_files"].items()]
    if answer["control"]:
        lines.append(f"  remote control         {answer['control']}")
    lines += [f"  fault                  {fault}" for fault in answer["faults"]]
    lines += ["connect with", *(f"  {line}" for line in answer["commands"]), "ctrl-c ends it"]
    return "\n".join(lines)


def _answer(
    options: VenueOptions, venue: LocalVenue, keys: dict[str, Path], ca_file: Path | None
) -> dict[str, Any]:
    products = list(venue.core.products)
    recording = options.capture
    return {
        "v": 1,
        "url": venue.url,
        "products": products,
        "market": "simulated" if recording is None else f"the recording {recording}",
        "seed": options.seed,
        "ca_file": None if ca_file is None else str(ca_file),
        "key_files": {name: str(path) for name, path in keys.items()},
        "control": f"{venue.url}{PREFIX}/state" if options.is_controlled else None,
        "faults": list(options.faults),
        "commands": list(_commands(venue.url, products[0], keys, ca_file)),
    }


def _commands(url: str, symbol: str, keys: dict[str, Path], ca_file: Path | None) -> Iterator[str]:
    """Ready to be pasted: paper, live, and live by the other API.

    It is for practice: live may quote below its fees, or there would be little to see.
    """
    place = ["--endpoint", url, *(() if ca_file is None else ("--ca-file", str(ca_file)))]
    advanced = ["--exchange", "coinbase", "--symbol", symbol, *place]
    exchange = ["--exchange", "coinbase-exchange", "--symbol", symbol, *place]
    practice = ["--set", "engine.live=true", "--set", "strategy.allow_negative_edge=true"]
    live = ["--mode", "live", *practice, "--arm", symbol]
    lines: Sequence[Sequence[str]] = (
        ["--mode", "paper", *advanced],
        [*live, *advanced, "--key-file", str(keys["advanced"])],
        [*live, *exchange, "--key-file", str(keys["exchange"])],
    )
    for words in lines:
        yield shlex.join([PROGRAM, *words])


def _speed(text: str) -> Decimal | None:
    """How fast a recording plays; None is as fast as clients can read."""
    if text == "max":
        return None
    speed = _decimal(text)
    if speed is None or not 0 < speed <= 10_000:
        raise UsageError(f"--speed {text}: must be a number above 0, at most 10000, or max")
    return speed


def _fees(text: str) -> tuple[Decimal, Decimal]:
    """Maker's and taker's rate, from basis points."""
    given = [_decimal(part) for part in text.split(",")]
    rates = [bps / _BPS for bps in given if bps is not None and abs(bps) <= _LARGEST_BPS]
    if len(given) != 2 or len(rates) != 2:
        raise UsageError(f"--fees {text}: must be MAKER,TAKER in basis points, for example 60,120")
    return rates[0], rates[1]


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@contextmanager
def _stopping(stop: asyncio.Event) -> Iterator[None]:
    """A signal sets `stop`, where this thread may say what signals do."""
    loop = asyncio.get_running_loop()
    set_: list[signal.Signals] = []
    with contextlib.suppress(RuntimeError, ValueError):
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop.set)
            set_.append(number)
    try:
        yield
    finally:
        for number in set_:
            loop.remove_signal_handler(number)
