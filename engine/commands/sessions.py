"""`sessions`: the engines that run on this machine under this user, and the sessions on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.commands.stored_sessions import stored, stored_lines
from engine.core.errors import PinnacleError
from engine.core.instrument import scaled_text
from engine.link.client import LinkClient
from engine.link.errors import LinkError
from engine.link.messages import EngineHello, Role
from engine.link.mirror import EngineMirror
from engine.link.runtime_folder import default_folder, resolve, running
from engine.link.view import View
from engine.runtime.session_store import default_data_dir

_VIEW_WITHIN_S = 2.0


def sessions(folder: Path | None = None, data_dir: Path | None = None) -> dict[str, Any]:
    """Every engine that runs, with what it says of itself or why it is silent, and every stored session."""
    place = folder or default_folder()
    stored_in = data_dir or default_data_dir()
    return {
        "v": 1,
        "folder": str(place),
        "sessions": asyncio.run(_all(place)),
        "data_dir": str(stored_in),
        "stored": stored(stored_in),
    }


def sessions_text(answer: Mapping[str, Any]) -> str:
    """The lists for people."""
    found = answer["sessions"]
    lines = ["no engine runs"]
    if found:
        width = max(len(session["name"]) for session in found)
        lines = [f"{session['name']:<{width}}  {_words(session)}" for session in found]
    return "\n".join([*lines, *stored_lines(answer["stored"])])


def _words(session: Mapping[str, Any]) -> str:
    if "trouble" in session:
        return str(session["trouble"])
    products = "  ".join(
        f"{each['product']} {each['state']} P&L {each['equity_change'] or 'n/a'}"
        for each in session["products"]
    )
    controller = f"  controlled by {session['controller']}" if session["controller"] else ""
    engine = f"{session['mode']} at {session['venue']}  pid {session['pid']}  up {session['uptime_s']} s"
    return f"{engine}  {products}{controller}"


async def _all(folder: Path) -> list[dict[str, Any]]:
    return await asyncio.gather(*[_one(folder, name) for name in running(folder)])


async def _one(folder: Path, name: str) -> dict[str, Any]:
    try:
        hello, view = await look(resolve(folder, name))
    except PinnacleError as error:  # it may have ended since it was listed
        return {"name": name, "trouble": str(error)}
    return {
        "name": name,
        "mode": hello.mode,
        "venue": hello.venue,
        "pid": hello.pid,
        "uptime_s": (view.wall_ns - hello.started_wall_ns) // 1_000_000_000,
        "controller": view.health.controller,
        "viewers": view.health.viewers - 1,
        "products": products_of(hello, view),
    }


def products_of(hello: EngineHello, view: View) -> list[dict[str, Any]]:
    """The products of a view in the words of the machine-readable status (product: section 5)."""
    described = {product.symbol: product for product in hello.products}
    told = []
    for book in view.products:
        product, pnl = described[book.symbol], book.pnl

        def money(atoms: int | None, places: int = product.money_places) -> str | None:
            return None if atoms is None else scaled_text(atoms, places)

        told.append(
            {
                "product": book.symbol,
                "state": book.state,
                "connection": book.connection,
                "note": book.note,
                "position": scaled_text(pnl.position * product.lot_steps, product.size_places),
                "equity_change": money(pnl.total),
                "realised_pnl": money(pnl.realised),
                "unrealised_pnl": money(pnl.unrealised),
                "fees": money(pnl.fees),
                "open_orders": len(book.orders),
                "fills": pnl.fills,
                "quotes": book.quotes_sent,
                "breaker": None if book.breaker is None else book.breaker.state,
            }
        )
    return told


async def look(path: Path) -> tuple[EngineHello, View]:
    """One hello and one view of the engine at a socket. Raises `LinkError` when it gives none."""
    mirror, came = EngineMirror(), asyncio.Event()
    client = LinkClient(mirror, build="", name="a look", role=Role.VIEW, hz=10.0, wants_events=False)
    mirror.on_view = came.set
    hello = await client.connect(path)
    try:
        async with asyncio.timeout(_VIEW_WITHIN_S):
            await came.wait()
    except TimeoutError:
        raise LinkError(f"the engine {hello.session} says hello but shows nothing") from None
    finally:
        client.close()
    assert mirror.view is not None
    return hello, mirror.view
