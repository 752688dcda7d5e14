"""What a person does with keys, for whoever draws it: the words of the wizard, without the venue behind.

The screen knows this protocol and nothing of ciphers or venues; `engine.commands.credential_desk` has it.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from engine.core.errors import CredentialError
from engine.core.secret import Secret

ADVANCED: Final = "coinbase"
EXCHANGE: Final = "coinbase-exchange"
KINDS: Final = (ADVANCED, EXCHANGE)
"""Kinds of keys, named as `exchange.name` names the venues."""
KIND_NAMES: Final[Mapping[str, str]] = {ADVANCED: "Coinbase Advanced Trade", EXCHANGE: "Coinbase Exchange"}
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    ADVANCED: ("name", "privateKey"),
    EXCHANGE: ("key", "secret", "passphrase"),
}
"""The parts of a key of each kind, in the order in which people are asked for them."""


class VaultState(enum.Enum):
    """What there is at the vault's place."""

    ABSENT = "absent"
    """No file: the first key that is saved makes one."""
    LOCKED = "locked"
    OPEN = "open"
    REFUSED = "refused"
    """A file that must not be used as it is: `trouble` says why and what mends it."""


class KeySummary(NamedTuple):
    """What may be seen of a key."""

    name: str
    """By which it is called in the vault."""
    kind: str
    tail: str
    """The last four characters of its id at the venue."""
    algorithm: str
    """`ES256`, `EdDSA` or `HMAC-SHA256`."""


class Draft(NamedTuple):
    """A key that was read and understood, and is not saved yet."""

    kind: str
    tail: str
    algorithm: str
    document: Secret
    """The whole key, as JSON."""
    suggested_name: str
    """What it could be called; free in this vault."""


class Verdict(enum.StrEnum):
    """How one look at the venue ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


class Finding(NamedTuple):
    """One thing that was looked at: `step` is network, clock, signature, permissions or key type."""

    step: str
    verdict: Verdict
    words: str
    advice: str = ""


class Fitness(enum.Enum):
    """What the whole check means for saving the key."""

    GOOD = "good"
    """The venue takes it, and it may do what trading needs and nothing beyond."""
    LIMITED = "limited"
    """The venue takes it, but it may only look, or something else is to be told; it may be saved."""
    UNCHECKED = "unchecked"
    """The venue could not be asked; it may be saved, and is checked again before it trades."""
    REFUSED = "refused"
    """The venue does not take it, or it may move money out of the account: it is not saved."""


class Strength(NamedTuple):
    """What a master password is worth."""

    score: int
    """0 to 4, by the time that guessing it takes: below a minute, a day, a year, 1,000 years, or longer."""
    words: str
    """One sentence: how long guessing takes at the speed that this vault allows, or what is wrong with it."""
    is_enough: bool
    """True when a vault may be sealed with it."""


class WrongPassword(CredentialError):
    """The password does not open the vault (or its header is damaged, which cannot be told apart)."""


class TooManyAttempts(CredentialError):
    """The password was wrong too often: the program ends."""


class CredentialDesk(Protocol):
    """One vault, and what is done with it. Everything that takes long is awaited and runs off the loop.

    Every failure is a `CredentialError` (exit code 4) whose message is for people and shows no secret.
    """

    path: Path
    """The vault's file."""
    venue: str
    """Where keys are checked, for people: `Coinbase`, or the address of a local venue."""
    lock_after_s: float
    """An open vault that nobody uses is locked after this time."""

    @property
    def state(self) -> VaultState:
        """What there is, looked at now."""
        ...

    @property
    def trouble(self) -> str:
        """Why the state is REFUSED, and the command that mends it; empty otherwise."""
        ...

    @property
    def wait_s(self) -> float:
        """How long nothing can be tried after a wrong password; 0 when it can."""
        ...

    async def unlock(self, password: Secret) -> None:
        """Open the vault. Raises `WrongPassword`, after the fifth one `TooManyAttempts`."""
        ...

    def lock(self) -> None:
        """Forget password and keys. Harmless where it is locked."""
        ...

    def touch(self) -> None:
        """A person did something: the time after which an open vault is locked begins anew."""
        ...

    def keys(self) -> tuple[KeySummary, ...]:
        """The keys of the open vault, by name."""
        ...

    def read_parts(self, kind: str, parts: Mapping[str, Secret]) -> Draft:
        """The key in what was pasted, part by part (`FIELDS`), in every spelling; a whole key file pasted
        into any part counts too. Raises `CredentialError` that says what the text is instead."""
        ...

    def read_file(self, kind: str, path: Path) -> Draft:
        """The key in a file that Coinbase lets people download."""
        ...

    def draft(self, name: str) -> Draft:
        """A key of the open vault, as it may be checked again."""
        ...

    def check(self, draft: Draft) -> AsyncIterator[Finding]:
        """Ask the venue about a key, finding by finding. Never raises for what the venue does."""
        ...

    def fitness(self, findings: tuple[Finding, ...]) -> Fitness:
        """What they mean together."""
        ...

    async def strength(self, password: Secret) -> Strength:
        """Judge a master password."""
        ...

    async def save(self, name: str, draft: Draft, password: Secret | None = None) -> None:
        """Put a key into the vault beside the others. `password` seals a vault that is ABSENT.

        Raises `CredentialError` for a name that is taken, a weak password, a vault that is locked or that
        somebody else has changed meanwhile. Returns when the file was read back and opened again.
        """
        ...

    async def remove(self, name: str) -> None:
        """Take a key out of the open vault and save it."""
        ...

    async def change_password(self, new: Secret) -> None:
        """Seal the open vault with another password."""
        ...
