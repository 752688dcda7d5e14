"""The wizard over the real desk and the local venue: a key goes from the clipboard into a vault."""

from __future__ import annotations

from pathlib import Path

from console.wizard_walk import Walk, everything, wizard_app

from engine.commands.credential_desk import Desk
from engine.core.clock import SystemClock
from engine.credentials.desk import VaultState
from engine.exchange.coinbase.network import NetworkSettings
from engine.local_venue.keys import Rights, make_cdp_key
from engine.local_venue.server import LocalVenue
from pinnacle_tui.credential_wizard import Stage, Wizard

KEY = make_cdp_key()
TOO_STRONG = make_cdp_key(rights=Rights(transfer=True))
PASSWORD = "tidal quartz 41 lantern"


class Clicking(Walk):
    """Time goes on by itself."""

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()


async def test_a_key_from_the_clipboard_to_the_vault_and_back(tmp_path: Path) -> None:
    async with LocalVenue(cdp_keys=(KEY, TOO_STRONG)) as venue:
        clock = SystemClock()
        network = NetworkSettings(endpoint=venue.url)
        desk = Desk(
            tmp_path / "kept" / "credentials.vault",
            network,
            lock_after_s=300,
            clock=clock,
            iterations=2,
            floor=1,
        )
        async with wizard_app(Wizard(desk, clock), clock).run_test(size=(80, 24)) as pilot:  # type: ignore[arg-type]
            await pilot.pause()
            walk = Clicking(pilot, desk)  # type: ignore[arg-type]
            await walk.press("enter", "enter")
            await walk.paste(TOO_STRONG.file_content())
            await walk.until_said("✓ an ECDSA P-256")
            await walk.press("enter")
            await walk.until_said("The key is not saved")
            await walk.press("escape", "ctrl+u")
            await walk.paste(KEY.file_content())
            await walk.press("enter")
            await walk.until_offered("enter")
            seen = everything(walk.app)
            await walk.press("enter")
            await walk.choose(PASSWORD)
            await walk.until_offered("enter")
            await walk.press("enter", "enter")
            await walk.until_at(Stage.SAVED)
            seen += everything(walk.app)
            await walk.press("enter")
            desk.lock()
            await walk.until(lambda: walk.heading == "The vault is locked")
            await walk.paste(PASSWORD)
            await walk.press("enter")
            await walk.until(lambda: walk.heading == "Keys in the vault")
            known = desk.keys()
            assert [(key.name, key.tail) for key in known] == [("coinbase", KEY.name[-4:])]
            seen += everything(walk.app)
            for secret in (PASSWORD, KEY.name, *KEY.private_text.splitlines()[1:-1]):
                assert secret not in seen
        assert desk.state is VaultState.OPEN
        desk.lock()
