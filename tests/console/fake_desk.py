"""A desk that keeps the contract of `CredentialDesk` in memory: no cipher, no venue, no disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from engine.core.clock import ManualClock
from engine.core.errors import CredentialError
from engine.core.secret import Secret
from engine.credentials.desk import (
    ADVANCED,
    FIELDS,
    Draft,
    Finding,
    Fitness,
    KeySummary,
    Strength,
    TooManyAttempts,
    VaultState,
    Verdict,
    WrongPassword,
)

RIGHT = "tidal quartz 41 lantern"
NAME = "organizations/7c1f/apiKeys/0b9d-4e57"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIJ2v9q\npemsecretcanary\n-----END EC PRIVATE KEY-----\n"
DOCUMENT = f'{{\n  "name": "{NAME}",\n  "privateKey": "jsonsecretcanary"\n}}'
MAIN = KeySummary("main", ADVANCED, "4e57", "ES256")
OFFICE = KeySummary("office", "coinbase-exchange", "91aa", "HMAC-SHA256")
GOOD = (
    Finding("network", Verdict.OK, "api.coinbase.com answers over TLS 1.3"),
    Finding("clock", Verdict.OK, "12 ms off, corrected for"),
    Finding("signature", Verdict.OK, "the venue takes the key and what is signed with it"),
    Finding("permissions", Verdict.OK, "may view and trade, and may not transfer"),
    Finding("key type", Verdict.OK, "ES256, a key of Coinbase Advanced Trade"),
)
LIMITED = (
    *GOOD[:3],
    Finding("permissions", Verdict.WARN, "may view only", "give it the right to trade, at Coinbase"),
    GOOD[4],
)
REFUSED = (
    *GOOD[:2],
    Finding(
        "signature",
        Verdict.FAIL,
        'the venue does not take the key. It answers "Unauthorized" to every cause alike; it is not the '
        "clock, whose difference was measured and corrected for",
        "the likeliest first: the private key belongs to another key, or was changed when it was copied: use "
        "the downloaded file; the key was deleted or has expired; this machine's public address is not on "
        "the key's list of addresses",
    ),
    Finding("permissions", Verdict.SKIPPED, "not asked for: the venue does not take the key"),
    GOOD[4],
)
UNCHECKED = (
    Finding("network", Verdict.FAIL, "no route to api.coinbase.com", "look at the network, then check again"),
    *(
        Finding(step, Verdict.SKIPPED, "not asked for: the venue is not reached")
        for step in ("clock", "signature", "permissions", "key type")
    ),
)


class FakeDesk:
    """`RIGHT` opens it. What a check finds is `findings`; `may_go_on` holds back whatever takes long."""

    def __init__(
        self,
        state: VaultState = VaultState.ABSENT,
        keys: tuple[KeySummary, ...] = (),
        *,
        clock: ManualClock | None = None,
    ) -> None:
        self.path = Path("/home/t/.config/pinnacle-tui/credentials.vault")
        self.venue = "Coinbase"
        self.lock_after_s = 300.0
        self.state = state
        self.trouble = ""
        self.findings = GOOD
        self.password = RIGHT
        self.failure: CredentialError | None = None
        """What the next saving ends with."""
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.held_checks = 0
        """After how many findings a check waits for `may_go_on`."""
        self.touches = 0
        self.tried: list[str] = []
        self.saved: dict[str, str] = {}
        """The documents that were saved, by name."""
        self.checks = 0
        self.clock = clock or ManualClock(0, 0)
        self._keys = list(keys)
        self._failures = 0
        self._until_ns = 0

    @property
    def wait_s(self) -> float:
        return max(0, self._until_ns - self.clock.monotonic_ns()) / 1e9

    async def unlock(self, password: Secret) -> None:
        self.tried.append(password.text())
        await self.may_go_on.wait()
        if self.tried[-1] == self.password:
            self.state = VaultState.OPEN
            return
        self._failures += 1
        if self._failures == 5:
            raise TooManyAttempts("the password was wrong 5 times: nothing was opened")
        self._until_ns = self.clock.monotonic_ns() + 10**9
        raise WrongPassword("wrong password, or the header is damaged")

    def lock(self) -> None:
        if self.state is VaultState.OPEN:
            self.state = VaultState.LOCKED

    def touch(self) -> None:
        self.touches += 1

    def keys(self) -> tuple[KeySummary, ...]:
        return tuple(self._keys) if self.state is VaultState.OPEN else ()

    def read_parts(self, kind: str, parts: Mapping[str, Secret]) -> Draft:
        given = {name: parts[name].text() if name in parts else "" for name in FIELDS[kind]}
        for text in given.values():
            if text.startswith("{"):
                return self._draft(kind, text)
        if kind == ADVANCED and "-----BEGIN EC" not in given["privateKey"]:
            raise CredentialError("the private key is no private key: it is neither PEM nor base64")
        return self._draft(kind, repr(given))

    def read_file(self, kind: str, path: Path) -> Draft:
        try:
            return self._draft(kind, path.read_text())
        except OSError:
            raise CredentialError(f"there is no key file {path}") from None

    def draft(self, name: str) -> Draft:
        return self._draft(next(key.kind for key in self._keys if key.name == name), "{}")

    async def check(self, draft: Draft) -> AsyncIterator[Finding]:
        self.checks += 1
        for number, finding in enumerate(self.findings):
            if number == self.held_checks:
                await self.may_go_on.wait()
            yield finding

    def fitness(self, findings: tuple[Finding, ...]) -> Fitness:
        return {
            GOOD: Fitness.GOOD,
            LIMITED: Fitness.LIMITED,
            REFUSED: Fitness.REFUSED,
            UNCHECKED: Fitness.UNCHECKED,
        }[findings]

    async def strength(self, password: Secret) -> Strength:
        length = len(password.text())
        if length < 10:
            return Strength(min(1, length // 5), f"too short: {10 - length} more, at least", is_enough=False)
        return Strength(4, "guessing it takes 5,000 years at a million guesses a second", is_enough=True)

    async def save(self, name: str, draft: Draft, password: Secret | None = None) -> None:
        await self.may_go_on.wait()
        self._fail()
        if self.state is VaultState.ABSENT:
            assert password is not None
            self.password = password.text()
        else:
            assert self.state is VaultState.OPEN
        self.state = VaultState.OPEN
        self.saved[name] = draft.document.text()
        self._keys.append(KeySummary(name, draft.kind, draft.tail, draft.algorithm))

    async def remove(self, name: str) -> None:
        await self.may_go_on.wait()
        self._fail()
        self._keys = [key for key in self._keys if key.name != name]

    async def change_password(self, new: Secret) -> None:
        await self.may_go_on.wait()
        self._fail()
        self.password = new.text()

    def _fail(self) -> None:
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure

    def _draft(self, kind: str, document: str) -> Draft:
        algorithm = "ES256" if kind == ADVANCED else "HMAC-SHA256"
        taken = {key.name for key in self._keys}
        name = next(name for name in (kind, f"{kind}-2", f"{kind}-3") if name not in taken)
        return Draft(kind, "4e57", algorithm, Secret(document), name)
