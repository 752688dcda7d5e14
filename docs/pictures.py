"""Makes the pictures of the README from the real program: the console over a simulated market.

    python docs/pictures.py            writes docs/*.svg

The engine runs on the console's own loop, as with `--inline`, some hundred times faster than time. Only the
live session goes at the pace of its venue, which is a local one: it takes a minute.
"""

from __future__ import annotations

import asyncio
import os
import sys
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinnacle_tui.session import EngineSession

PICTURES = Path(__file__).resolve().parent
MARKET_S = 240
"""Engine time of the picture."""
LIVE_S = 30
"""The same of the live session, which is real time."""
QUIET_S = 3
"""The same of what lies behind the wizard."""


async def picture(name: str, size: tuple[int, int], theme: str, keys: tuple[str, ...]) -> None:
    """One picture: the console at `size` under `theme`, after `keys` were pressed."""
    from engine.commands import headless
    from engine.config import load_config
    from pinnacle_tui.app import ConsoleApp
    from pinnacle_tui.launch import console_app, inline_session

    resolved = load_config(
        None, {}, (f"console.theme={theme}",), {"engine.speed": "100", "simulator.seed": "7"}
    )
    session = inline_session(partial(headless.serve, resolved))
    app: ConsoleApp = console_app(session, resolved, remembers=False)
    async with app.run_test(size=size, notifications=True) as pilot:
        is_late = asyncio.Event()
        session.mirror.on_view = lambda: is_late.set() if _time_s(session) >= MARKET_S else None
        async with asyncio.timeout(120):
            await is_late.wait()
        app.clear_notifications()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        app.draw_anew()
        await pilot.pause()
        (PICTURES / f"{name}.svg").write_text(app.export_screenshot(simplify=True), encoding="utf-8")
        session.stop()
        await session.until_ended()
    sys.stdout.write(f"docs/{name}.svg\n")


async def live(name: str, size: tuple[int, int], theme: str) -> None:
    """Real orders at a local venue, both on the network, with the fees of an account that trades much."""
    from engine.commands import headless
    from engine.config import load_config
    from engine.exchange.simulator.settings import SimulatorSettings
    from engine.local_venue.fee_tiers import single_tier
    from engine.local_venue.keys import make_cdp_key, write_key
    from engine.local_venue.server import LocalVenue
    from engine.local_venue.settings import VenueSettings
    from pinnacle_tui.launch import console_app, inline_session

    key = make_cdp_key()
    fees = single_tier(Decimal("0.0001"), Decimal("0.0005"))
    settings = VenueSettings(simulator=SimulatorSettings(seed=7), fee_tiers=fees)
    async with LocalVenue(settings, cdp_keys=(key,)) as venue:
        resolved = load_config(
            None,
            {},
            (f"console.theme={theme}", "engine.live=true"),
            {
                "engine.mode": "live",
                "network.endpoint": venue.url,
                "network.key_file": str(write_key(Path(os.environ["XDG_STATE_HOME"]), key)),
            },
        )
        session = inline_session(partial(headless.serve, resolved))
        app = console_app(session, resolved, remembers=False)
        async with app.run_test(size=size, notifications=True) as pilot:
            is_late = asyncio.Event()
            session.mirror.on_view = lambda: is_late.set() if _shows_all(session) else None
            async with asyncio.timeout(10 * LIVE_S):
                await is_late.wait()
            app.clear_notifications()
            app.draw_anew()
            await pilot.pause()
            (PICTURES / f"{name}.svg").write_text(app.export_screenshot(simplify=True), encoding="utf-8")
            session.stop()
            await session.until_ended()
    sys.stdout.write(f"docs/{name}.svg\n")


async def past(name: str, size: tuple[int, int], theme: str) -> None:
    """The newest session, played back to its middle."""
    from engine.commands.replay import play
    from engine.config import load_config
    from engine.runtime.session_store import default_data_dir, sessions
    from pinnacle_tui.launch import console_app, inline_session

    resolved = load_config(None, {}, (f"console.theme={theme}",))
    data_dir = default_data_dir()
    session = inline_session(partial(play, sessions(data_dir)[-1].name, data_dir))
    app = console_app(session, resolved, remembers=False)
    async with app.run_test(size=size, notifications=True) as pilot:
        is_read = asyncio.Event()

        def looked() -> None:
            view = session.mirror.view
            if view is not None and view.playback is not None and view.playback.read == 1.0:
                is_read.set()

        session.mirror.on_view = looked
        async with asyncio.timeout(60):
            await is_read.wait()
        await pilot.press("end")
        await pilot.pause(0.5)
        for _ in range(9):
            await pilot.press("J")
            await pilot.pause(0.2)
        app.draw_anew()
        await pilot.pause()
        (PICTURES / f"{name}.svg").write_text(app.export_screenshot(simplify=True), encoding="utf-8")
        session.stop()
        await session.until_ended()
    sys.stdout.write(f"docs/{name}.svg\n")


async def keys(name: str, size: tuple[int, int], theme: str) -> None:
    """A key of a local venue, checked by the wizard over a console that trades a simulated market."""
    from engine.commands import headless
    from engine.commands.credential_desk import desk_of
    from engine.config import load_config
    from engine.core.clock import SystemClock
    from engine.credentials.desk import ADVANCED
    from engine.local_venue.keys import make_cdp_key, write_key
    from engine.local_venue.server import LocalVenue
    from engine.local_venue.tls import server_context, tls_files
    from pinnacle_tui.credential_wizard import Stage
    from pinnacle_tui.launch import console_app, inline_session

    folder, key = Path(os.environ["XDG_STATE_HOME"]) / "venue", make_cdp_key()
    path, tls = write_key(folder, key), tls_files(folder, SystemClock())
    async with LocalVenue(cdp_keys=(key,), ssl_context=server_context(tls)) as venue:
        at_venue = {"network.endpoint": venue.url, "network.ca_file": str(tls.ca)}
        resolved = load_config(None, {}, (f"console.theme={theme}",), at_venue)
        session = inline_session(partial(headless.serve, resolved))
        app = console_app(session, resolved, remembers=False, make_desk=lambda: desk_of(resolved.config))
        async with app.run_test(size=size, notifications=True) as pilot:
            is_late = asyncio.Event()
            session.mirror.on_view = lambda: is_late.set() if _time_s(session) >= QUIET_S else None
            async with asyncio.timeout(60):
                await is_late.wait()
            app.clear_notifications()
            app.action_credentials()
            wizard = app.wizard
            assert wizard is not None
            wizard.choose(ADVANCED)
            wizard.understand(wizard.desk.read_file(ADVANCED, path))
            wizard.go(Stage.CHECK)
            await pilot.pause()
            async with asyncio.timeout(20):
                while wizard.fitness is None:
                    await pilot.pause(0.1)
            app.draw_anew()
            await pilot.pause()
            (PICTURES / f"{name}.svg").write_text(app.export_screenshot(simplify=True), encoding="utf-8")
            session.stop()
            await session.until_ended()
    sys.stdout.write(f"docs/{name}.svg\n")


def _time_s(session: EngineSession) -> float:
    view = session.mirror.view
    return view.time_ns / 1e9 if view is not None else 0.0


def _shows_all(session: EngineSession) -> bool:
    """Late enough, with all quotes working, a position, and a profit to look at."""
    view = session.mirror.view
    if view is None or _time_s(session) < LIVE_S:
        return False
    (book,) = view.products
    is_quoting = book.quotes and all(quote.working_price is not None for quote in book.quotes)
    return bool(is_quoting and book.pnl.position and (book.pnl.total or 0) > 0)


async def main() -> None:
    """Every picture of the README."""
    await picture("console", (120, 40), "pinnacle", ())
    await picture("explain", (120, 40), "pinnacle", ("e",))
    await picture("analytics", (120, 40), "pinnacle", ("m",))
    await picture("light", (120, 40), "pinnacle-light", ("o",))
    await picture("small", (80, 24), "gruvbox", ())
    await past("past", (120, 40), "pinnacle")
    await live("live", (120, 40), "pinnacle")
    await keys("credentials", (120, 40), "pinnacle")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        # Nobody's own settings, themes and keys: the pictures are those of a first run.
        for name in ("RUNTIME_DIR", "CONFIG_HOME", "STATE_HOME"):
            place = Path(folder) / name
            place.mkdir(mode=0o700)
            os.environ[f"XDG_{name}"] = str(place)
        os.environ["COLORTERM"] = "truecolor"
        sys.exit(asyncio.run(main()))
