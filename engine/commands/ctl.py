"""`ctl`: one command to a running engine, without a screen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from engine.commands.sessions import look, products_of
from engine.core.errors import PinnacleError, UsageError
from engine.link.client import LinkChange, LinkClient
from engine.link.errors import LinkError
from engine.link.messages import Ack, CommandName, EngineHello, Role, Verdict
from engine.link.mirror import EngineMirror
from engine.link.runtime_folder import default_folder, resolve, running
from engine.runtime.portfolio_view import portfolio_report, portfolio_text

OF_A_PRODUCT: Final = ("pause", "resume", "cancel-all", "flatten", "kill", "rearm", "breaker")
"""What can be asked for one product alone."""
OF_THE_BREAKER: Final = ("trip", "reset")
"""What can be done to the circuit breaker by hand."""
_PROOF_S: Final = 10.0
_EXIT_CODES: Final = {Verdict.DONE: 0, Verdict.REJECTED: 1, Verdict.UNKNOWN: 75}


class ControlError(PinnacleError):
    """The engine could not be asked."""


def ctl(
    deed: str,
    setting: str | None = None,
    *,
    session: str | None = None,
    take: bool = False,
    confirmed: str | None = None,
    product: str | None = None,
    reason: str | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Ask an engine and wait for proof. The answer holds `exit_code`: 0 done, 1 refused, 75 not proven.

    `setting` is the KEY=VALUE of `set`, the name of the alert of `ack`, and what `breaker` is to do: trip or
    reset, for a `reason` that is kept in the journal. `take` takes control from whoever has it. `rearm`
    wants a traded product's name as `confirmed`; `set` wants the key, where real money's limit is loosened.
    `product` is the only one that the deed is for; None: all that are traded.
    """
    if deed == "breaker" and setting not in OF_THE_BREAKER:
        raise UsageError(f"breaker {setting}: must be {' or '.join(OF_THE_BREAKER)}; nothing was done")
    if reason is not None and deed != "breaker":
        raise UsageError(f"{deed} --reason: only breaker takes a reason; nothing was done")
    if product is not None and deed not in OF_A_PRODUCT:
        raise UsageError(
            f"{deed} --product {product}: {deed} is for the whole engine; --product is for "
            f"{', '.join(OF_A_PRODUCT)}; nothing was done"
        )
    if deed == "set" and "=" not in (setting or ""):
        raise UsageError(f"set {setting}: must be KEY=VALUE, for example strategy.levels=2; nothing was done")
    place = folder or default_folder()
    if deed == "status" and session is None:
        return _every_status(place)
    path = resolve(place, session)
    if deed == "status":
        return _one_status(path)
    try:
        name = CommandName(f"{setting}_breaker" if deed == "breaker" else deed.replace("-", "_"))
        arguments = _arguments(name, setting or "", confirm=confirmed, product=product, reason=reason)
        return asyncio.run(_ask(path, name, arguments, take, confirmed))
    except LinkError as error:
        raise ControlError(str(error)) from None


def _every_status(folder: Path) -> dict[str, Any]:
    """Of the one engine that runs, or of all: to look at several is no mistake."""
    names = running(folder)
    if len(names) < 2:
        return _one_status(resolve(folder, None))
    return {"v": 1, "exit_code": 0, "engines": [_one_status(resolve(folder, name)) for name in names]}


def _one_status(path: Path) -> dict[str, Any]:
    try:
        return asyncio.run(_status(path))
    except LinkError as error:
        raise ControlError(str(error)) from None


def ctl_text(answer: Mapping[str, Any]) -> str:
    """The answer for people."""
    if "engines" in answer:
        return "\n".join(ctl_text(engine) for engine in answer["engines"])
    if "products" in answer:
        lines = [f"{answer['session']}: {answer['mode']} at {answer['venue']}, pid {answer['pid']}"]
        lines += [
            f"{each['product']}  {each['state']}  book {each['connection']}  position {each['position']}"
            f"  P&L {each['equity_change'] or 'n/a'}  open {each['open_orders']}  fills {each['fills']}"
            + (f"  breaker {each['breaker']}" if each["breaker"] not in (None, "closed") else "")
            + (f"  {each['note']}" if each["note"] else "")
            for each in answer["products"]
        ]
        lines += map(portfolio_text, answer["portfolio"])
        return "\n".join(lines)
    deed = answer["deed"].replace("_", " ")
    lines = [f"{deed}: {answer['verdict']} in {answer['ms']:.0f} ms: {answer['text']}"]
    lines += [f"possibly open: {order}" for order in answer["possibly_open"]]
    return "\n".join(lines)


async def _status(path: Path) -> dict[str, Any]:
    hello, view = await look(path)
    return {
        "v": 1,
        "exit_code": 0,
        "session": hello.session,
        "mode": hello.mode,
        "venue": hello.venue,
        "pid": hello.pid,
        "controller": view.health.controller,
        "products": products_of(hello, view),
        "portfolio": [portfolio_report(each, view.time_ns) for each in view.portfolio],
    }


async def _ask(
    path: Path,
    name: CommandName,
    arguments: dict[str, str],
    take: bool,
    confirmed: str | None,
) -> dict[str, Any]:
    def changed(change: LinkChange) -> None:
        if change is LinkChange.LOST:
            client.close()  # an engine that is gone answers no more: what it was asked is unknown at once

    client = LinkClient(
        EngineMirror(),
        build="",
        name=f"ctl pid {os.getpid()}",
        role=Role.CONTROL,
        hz=0.0,
        wants_events=False,
        on_change=changed,
    )
    hello = await client.connect(path)
    try:
        if name is CommandName.REARM:
            _require_confirmed(hello, confirmed, arguments.get("product"))
        if take:
            await client.ask(CommandName.TAKE_CONTROL)
        ack = await client.ask(name, arguments, deadline_s=_PROOF_S)
    finally:
        client.close()
    return _answer(name, ack)


def _arguments(name: CommandName, setting: str, **given: str | None) -> dict[str, str]:
    """What the command is sent with: of what is `given` only what was."""
    arguments = {key: value for key, value in given.items() if value is not None}
    if name is CommandName.ACK:
        arguments["name"] = setting.strip()
    elif name is CommandName.SET:
        key, _, value = setting.partition("=")
        arguments |= {"key": key.strip(), "value": value}
    return arguments


def _require_confirmed(hello: EngineHello, confirmed: str | None, product: str | None) -> None:
    products = [known.symbol for known in hello.products] if product is None else [product]
    if confirmed not in products:
        raise UsageError(
            f"rearm lets {product or 'the engine'} trade again: repeat it with --confirm {products[0]}; "
            "nothing was done"
        )


def _answer(name: CommandName, ack: Ack) -> dict[str, Any]:
    return {
        "v": 1,
        "exit_code": _EXIT_CODES[ack.verdict],
        "deed": name.value,
        "verdict": ack.verdict.value,
        "text": f"{ack.text}: --confirm {ack.confirm}" if ack.confirm else ack.text,
        "ms": ack.ms,
        "possibly_open": list(ack.open_orders),
    }
