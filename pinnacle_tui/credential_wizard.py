"""What a person has entered so far about a key, in memory until it is saved or given up."""

from __future__ import annotations

import enum
from typing import Final

from engine.core.clock import Clock
from engine.core.errors import CredentialError
from engine.core.secret import Secret
from engine.credentials.desk import CredentialDesk, Draft, Finding, Fitness, KeySummary, VaultState
from engine.credentials.idle_lock import IdleLock


class Stage(enum.Enum):
    """Where a person is."""

    VAULT = "vault"
    VENUE = "venue"
    KEY = "key"
    CHECK = "check"
    PASSWORD = "password"
    NAME = "name"
    SAVED = "saved"
    CHECK_AGAIN = "check again"
    CHANGE_PASSWORD = "change password"


_STEPS: Final = (
    Stage.VAULT,
    Stage.VENUE,
    Stage.KEY,
    Stage.CHECK,
    Stage.PASSWORD,
    Stage.NAME,
    Stage.SAVED,
)
"""Those that lead to a saved key; the others go off from the list of keys."""


class Wizard:
    """One desk and the way through it. It outlives the screen, so that a person can come back to it.

    Everything secret in it is a `Secret`, and `forget` wipes it.
    """

    def __init__(self, desk: CredentialDesk, clock: Clock) -> None:
        self.desk = desk
        self.stage = Stage.VAULT
        self.kind: str | None = None
        """The kind of key, once it was chosen."""
        self.parts: dict[str, Secret] = {}
        """What was pasted, by the names of `FIELDS`."""
        self.key_file = ""
        """The path that was typed in place of it."""
        self.draft: Draft | None = None
        """The key that was understood."""
        self.findings: list[Finding] = []
        """Those of the last check of it, as far as it has come."""
        self.fitness: Fitness | None = None
        """What they mean; None while the check is not over."""
        self.password: Secret | None = None
        """The master password of a vault that is yet to be made."""
        self.name = ""
        """What the key shall be called."""
        self.saved: KeySummary | None = None
        """The key that was saved last."""
        self.notice = ""
        """What a person has to know about how they came to where they are."""
        self.is_busy = False
        """True while the desk seals, opens or asks: nobody is idle then."""
        self.ending = ""
        """Why nothing can be done here any more; empty while something can."""
        self._is_new_vault = desk.state is VaultState.ABSENT
        self._was_open = False
        self._idle = IdleLock(clock, desk.lock_after_s)

    # -- the way -----------------------------------------------------------------------------------

    @property
    def steps(self) -> tuple[Stage, ...]:
        """The steps to a saved key: a master password is chosen where the vault is yet to be made."""
        return tuple(step for step in _STEPS if step is not Stage.PASSWORD or self._is_new_vault)

    @property
    def step(self) -> Stage:
        """The step that is marked."""
        return self.stage if self.stage in _STEPS else Stage.VAULT

    @property
    def next_stage(self) -> Stage:
        """The step behind this one."""
        return self.steps[self.steps.index(self.step) + 1]

    @property
    def stage_before(self) -> Stage | None:
        """One step back; None where that leads out. A key that is saved is not entered again."""
        if self.stage is Stage.VAULT:
            return None
        if self.stage is Stage.SAVED or self.stage not in _STEPS:
            return Stage.VAULT
        return self.steps[self.steps.index(self.stage) - 1]

    def go(self, stage: Stage) -> None:
        """Be there. What is said at the vault counts from then on: it may have been made meanwhile."""
        if self.stage is Stage.VAULT:
            self._is_new_vault = self.desk.state is VaultState.ABSENT
        if self.stage is Stage.CHECK_AGAIN:
            self.forget()
        self.stage = stage

    # -- what was entered --------------------------------------------------------------------------

    @property
    def has_entries(self) -> bool:
        """True where leaving would lose something that was pasted or typed."""
        if self.stage in (Stage.SAVED, Stage.CHECK_AGAIN):
            return False
        return bool(self.draft or self.password or any(self.parts.values()))

    def choose(self, kind: str) -> None:
        """A key of this kind. Of another kind it has other parts."""
        if kind != self.kind:
            self.forget()
            self.kind = kind

    def enter(self, part: str, held: Secret) -> None:
        """Another text of a part: what was understood before does not hold."""
        old = self.parts.get(part)
        if old is not None:
            old.wipe()
        self.parts[part] = held
        self.drop_draft()

    def understand(self, draft: Draft) -> None:
        """This is the key."""
        self.drop_draft()
        self.draft = draft

    def drop_draft(self) -> None:
        """There is no key any more that was understood, nor what the venue said of it."""
        if self.draft is not None:
            self.draft.document.wipe()
        self.draft, self.name = None, ""
        self.begin_check()

    def begin_check(self) -> None:
        """Nothing is known yet of the key."""
        self.findings, self.fitness = [], None

    def choose_password(self, password: Secret | None) -> None:
        """The vault that is yet to be made is sealed with this one."""
        if self.password is not None:
            self.password.wipe()
        self.password = password

    def forget(self) -> None:
        """Wipe everything that was entered."""
        for part in self.parts.values():
            part.wipe()
        self.parts, self.key_file, self.kind = {}, "", None
        self.drop_draft()
        self.choose_password(None)

    # -- the vault ---------------------------------------------------------------------------------

    @property
    def keys(self) -> tuple[KeySummary, ...]:
        """Those of the open vault."""
        return self.desk.keys()

    def opened(self) -> None:
        """The vault is open from now on."""
        self._was_open = True
        self.touch()

    def touch(self) -> None:
        """A person did something."""
        self._idle.touch()
        self.desk.touch()

    def is_left_alone(self) -> bool:
        """Asked now and then: True when the time was over, or the desk has locked, and all is forgotten."""
        if self.is_busy:
            self._idle.touch()
            return False
        is_locked = self._was_open and self.desk.state is not VaultState.OPEN
        if not (is_locked or (self._idle.is_due() and (self._was_open or self.has_entries))):
            return False
        lost = "; what was entered is forgotten" if self.has_entries else ""
        self.close()
        self.notice = f"nobody did anything for {self.desk.lock_after_s:g} s: the vault is locked{lost}"
        return True

    def end(self, why: str) -> None:
        """Nothing can be done here any more."""
        self.close()
        self.ending = why

    def close(self) -> None:
        """Forget everything and lock the vault."""
        self.forget()
        self.desk.lock()
        self.stage, self.notice, self._was_open = Stage.VAULT, "", False

    async def save(self) -> None:
        """Put the key into the vault, as `name`; what was entered is forgotten then, what the venue said of
        it is not. Raises `CredentialError`."""
        draft, fitness = self.draft, self.fitness
        if draft is None:
            raise CredentialError("there is no key to be saved any more: what was entered is forgotten")
        # Of its own: whatever becomes of the screen meanwhile, nothing is sealed that has just been wiped.
        kept = draft._replace(document=Secret(draft.document))
        password = None if self.password is None else Secret(self.password)
        try:
            await self.desk.save(self.name, kept, password)
        finally:
            kept.document.wipe()
            if password is not None:
                password.wipe()
        self.opened()
        self.saved = KeySummary(self.name, draft.kind, draft.tail, draft.algorithm)
        self.forget()
        self.fitness = fitness
