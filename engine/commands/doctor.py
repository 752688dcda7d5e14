"""`doctor`: everything that trading needs, looked at before it is needed. Nothing is changed anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from engine.commands.doctor_check import EXIT_KEY, EXIT_VENUE, Check, Verdict, exit_code
from engine.commands.doctor_machine import Surroundings, check_disk, check_program, check_terminal
from engine.commands.doctor_network import Resolve, check_target, resolve, targets
from engine.commands.doctor_venue import check_venue
from engine.commands.stored_sessions import folder_of
from engine.commands.unlocking import key_of_run
from engine.config import Config, Resolved
from engine.core.clock import Clock, SystemClock
from engine.core.errors import CredentialError, UsageError
from engine.exchange.coinbase.broker import Broker
from engine.exchange.coinbase.keys import ApiKey, ExchangeKey, read_key_file
from engine.exchange.coinbase.network import ADVANCED, Endpoints
from engine.exchange.coinbase.rest.brokers import broker_for
from engine.exchange.coinbase.tls import tls_context

_REPORTED: Final = ("group", "name", "verdict", "words", "advice")


class MakeBroker(Protocol):
    """See `broker_for`."""

    def __call__(
        self,
        name: str,
        endpoints: Endpoints,
        key: ApiKey | None,
        *,
        clock: Clock,
        ca_file: str | None,
        answer_timeout_s: float,
    ) -> Broker:
        """A broker that is not open yet."""
        ...


def doctor(
    resolved: Resolved,
    around: Surroundings,
    *,
    clock: Clock | None = None,
    resolve: Resolve = resolve,
    make_broker: MakeBroker = broker_for,
    look_at_disk: Callable[[Path, Clock], list[Check]] = check_disk,
    unlock: Callable[[Config], ApiKey] = key_of_run,
    within_s: float = 5.0,
) -> dict[str, Any]:
    """Every check with what it found, in the order of a start. `within_s` bounds each step on the network.

    `unlock` gives the key out of the vault, and may ask a person for the password.
    """
    real = clock or SystemClock()
    key, checks = _key(resolved.config, unlock)
    checks = asyncio.run(_outside(resolved, key, checks, real, resolve, make_broker, within_s))
    checks += look_at_disk(folder_of(resolved.config), real)
    checks += check_terminal(around)
    checks += check_program(around)
    verdicts = [check.verdict for check in checks]
    return {
        "v": 1,
        "exchange": resolved.config.exchange.name or ADVANCED,
        "checks": [{name: getattr(check, name) for name in _REPORTED} for check in checks],
        "counts": {verdict.value: verdicts.count(verdict) for verdict in Verdict},
        "exit_code": exit_code(checks),
    }


async def _outside(
    resolved: Resolved,
    key: ApiKey | None,
    key_checks: list[Check],
    clock: Clock,
    resolve: Resolve,
    make_broker: MakeBroker,
    within_s: float,
) -> list[Check]:
    """What is on the network, and what the venue says of the key; what was found of it before among them."""
    network = resolved.config.network
    api = resolved.config.exchange.name or ADVANCED
    endpoints = network.endpoints(api)
    try:
        tls = tls_context(network.ca_file)
    except UsageError as error:
        failed = Check("network", "certificate", Verdict.FAIL, str(error), exit_code=EXIT_VENUE)
        return [failed, *key_checks]
    reached = await asyncio.gather(
        *[
            check_target(target, tls, clock, resolve=resolve, within_s=within_s)
            for target in targets(endpoints)
        ]
    )
    broker = make_broker(
        api,
        endpoints,
        key,
        clock=clock,
        ca_file=network.ca_file,
        answer_timeout_s=network.answer_timeout_ms / 1_000,
    )
    asked = await check_venue(broker, resolved, has_key=key is not None)
    return in_order([*reached, *asked, *key_checks])


_ORDER: Final = ("network", "clock", "products", "key", "fees")


def in_order(checks: list[Check]) -> list[Check]:
    """Group by group, in the order they were made within each."""
    return sorted(checks, key=lambda check: _ORDER.index(check.group))


def _key(config: Config, unlock: Callable[[Config], ApiKey]) -> tuple[ApiKey | None, list[Check]]:
    """The key that is set, and what is to be said of where it lies."""
    file, api = config.network.key_file, config.exchange.name or ADVANCED
    place = "vault" if file is None else "file"
    if file is None and config.credentials.key is None and config.engine.mode != "live":
        words = "none is named: the account, its fees and its orders cannot be looked at"
        advice = "store one with `pinnacle-tui credentials`, and name it with --key"
        return None, [Check("key", place, Verdict.SKIPPED, words, advice)]
    try:
        key = unlock(config) if file is None else read_key_file(Path(file), api)
    except CredentialError as error:
        return None, [Check("key", place, Verdict.FAIL, str(error), exit_code=EXIT_KEY)]
    how = "taken out of the vault" if file is None else "readable by you alone"
    kind = "Coinbase Exchange" if isinstance(key, ExchangeKey) else f"Advanced Trade ({key.algorithm})"
    return key, [Check("key", place, Verdict.OK, f"{how}, a key of {kind}")]


def doctor_text(answer: Mapping[str, Any]) -> str:
    """The table for people: verdict, what was looked at, what was found, what to do."""
    checks = [msgspec.convert(each, Check) for each in answer["checks"]]
    labels = [f"{check.group} {check.name}" if check.group != check.name else check.name for check in checks]
    width = max(map(len, labels))
    lines = []
    for check, label in zip(checks, labels, strict=True):
        lines.append(f"{check.verdict:<7}  {label:<{width}}  {check.words}")
        if check.advice:
            lines.append(f"{'':<7}  {'':<{width}}  -> {check.advice}")
    counts = answer["counts"]
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return "\n".join([*lines, "", told])
