"""How late the wizard's loop wakes up while a password is derived at full strength beside it.

Run by hand, alone on the machine: `pytest -m bench tests/benchmarks/test_wizard_lateness.py -s`.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time

import pytest
from console import fake_desk as played
from console.fake_desk import RIGHT, FakeDesk
from console.wizard_walk import Walk, wizard_app, wizard_at
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from engine.core.secret import Secret
from engine.credentials.desk import VaultState

pytestmark = pytest.mark.bench

ROUNDS = 1_000_000
FRAME_MS = 100.0
EVERY_S = 0.005


class DerivingDesk(FakeDesk):
    """Opens after one derivation of full strength, in a thread."""

    async def unlock(self, password: Secret) -> None:
        began = time.perf_counter()
        salt = hashlib.sha256(b"salt").digest()[:16]
        kdf = PBKDF2HMAC(SHA256(), 32, salt, ROUNDS)
        await asyncio.to_thread(kdf.derive, bytes(password.reveal()))
        self.took_ms = (time.perf_counter() - began) * 1e3
        await super().unlock(password)


async def test_no_frame_is_late_while_the_key_is_derived(capsys: pytest.CaptureFixture[str]) -> None:
    desk = DerivingDesk(VaultState.LOCKED, (played.MAIN,))
    worst_ms = 0.0

    async def watch() -> None:
        nonlocal worst_ms
        while True:
            due = time.perf_counter() + EVERY_S
            await asyncio.sleep(EVERY_S)
            worst_ms = max(worst_ms, (time.perf_counter() - due) * 1e3)

    async with wizard_app(wizard_at(desk), desk.clock).run_test(size=(120, 40)) as pilot:
        walk = Walk(pilot, desk)
        await pilot.pause()
        await walk.paste(RIGHT)
        watching = asyncio.create_task(watch())
        await walk.press("enter")
        await walk.until(lambda: walk.heading == "Keys in the vault")
        watching.cancel()
    with capsys.disabled():
        sys.stdout.write(f"derivation {desk.took_ms:.0f} ms, loop late by at most {worst_ms:.1f} ms\n")
    assert worst_ms < FRAME_MS
