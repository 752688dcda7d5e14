"""`credentials`: what is done with the keys in the vault without a screen.

People are asked between the deeds, not on a loop: an interrupt ends a question at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from engine.commands.credential_desk import Desk
from engine.commands.credential_passwords import Passwords
from engine.commands.doctor_check import EXIT_KEY, EXIT_VENUE
from engine.core.errors import CredentialError
from engine.core.foreign_text import harmless
from engine.core.private_file import BACKUP
from engine.credentials.desk import KIND_NAMES, Draft, Finding, Fitness, KeySummary, VaultState

_EXIT_CODES: Final = {Fitness.REFUSED: EXIT_KEY, Fitness.UNCHECKED: EXIT_VENUE}
_WORTH: Final = {
    Fitness.GOOD: "good: it may do what trading needs, and nothing beyond",
    Fitness.LIMITED: "taken by the venue, with what is said above",
    Fitness.UNCHECKED: "not checked: the venue could not be asked",
    Fitness.REFUSED: "refused: do not trade with it",
}


def listed(desk: Desk, passwords: Passwords) -> dict[str, Any]:
    """Every key of the vault by what may be seen of it. Raises `CredentialError`."""
    if desk.state is not VaultState.ABSENT:
        passwords.unlock(desk)
    keys = desk.keys()
    return {"v": 1, "vault": str(desk.path), "keys": [key._asdict() for key in keys]}


def listed_text(answer: Mapping[str, Any]) -> str:
    """The list for people."""
    keys = answer["keys"]
    if not keys:
        return f"no key is kept in {answer['vault']}; `pinnacle-tui credentials` leads to the first one"
    width = max(len(key["name"]) for key in keys)
    lines = [f"{key['name']:<{width}}  {described(KeySummary(**key))}" for key in keys]
    return "\n".join([*lines, "", f"{len(keys)} in {answer['vault']}"])


def removed(
    desk: Desk, passwords: Passwords, name: str, is_confirmed: Callable[[str], bool]
) -> dict[str, Any]:
    """Take a key out of the vault, once whoever asks has confirmed it. Raises `CredentialError`."""
    passwords.unlock(desk)
    key = summary(desk, name)
    is_removed = is_confirmed(f"{key.name}, {described(key)}")
    if is_removed:
        asyncio.run(desk.remove(name))
    return {"v": 1, "vault": str(desk.path), "key": key._asdict(), "is_removed": is_removed}


def removed_text(answer: Mapping[str, Any]) -> str:
    """What became of it, for people."""
    key = KeySummary(**answer["key"])
    if not answer["is_removed"]:
        return f"{key.name} is kept"
    return (
        f"{key.name} is no longer in {answer['vault']}. At {KIND_NAMES[key.kind]} it still works: delete it "
        f"there. Still in the file as it was before ({answer['vault']}{BACKUP}) and in backups, encrypted"
    )


def checked(
    desk: Desk, passwords: Passwords, name: str | None, told: Callable[[str], None]
) -> dict[str, Any]:
    """Ask the venue about one key or all of them; `told` hears every line of it as it comes.

    The exit code is 0, 4 where a key is refused, 5 where the venue could not be asked. Raises
    `CredentialError`.
    """
    passwords.unlock(desk)
    keys = desk.keys() if name is None else (summary(desk, name),)
    if not keys:
        raise CredentialError(f"no key is kept in {desk.path}; there is nothing to be checked")
    answers = []
    for key in keys:
        told(f"{key.name}, {described(key)}, at {desk.venue}")
        findings = look(desk, desk.draft(key.name), told)
        worth = desk.fitness(findings)
        answers.append({**key._asdict(), "fitness": worth.value, "findings": [f._asdict() for f in findings]})
    codes = {_EXIT_CODES.get(Fitness(answer["fitness"]), 0) for answer in answers}
    return {"v": 1, "venue": desk.venue, "keys": answers, "exit_code": max(codes)}


def look(desk: Desk, draft: Draft, told: Callable[[str], None]) -> tuple[Finding, ...]:
    """The findings of one check; `told` hears each as it comes, and what they mean together."""
    findings = asyncio.run(_look(desk, draft, told))
    told(f"  {_WORTH[desk.fitness(findings)]}")
    return findings


async def _look(desk: Desk, draft: Draft, told: Callable[[str], None]) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    asked = desk.check(draft)
    async with aclosing(asked):
        async for finding in asked:
            findings.append(finding)
            told(f"  {finding.verdict:<7}  {finding.step:<11}  {finding.words}")
            if finding.advice:
                told(f"  {'':<7}  {'':<11}  -> {finding.advice}")
    return tuple(findings)


def changed_password(desk: Desk, passwords: Passwords) -> dict[str, Any]:
    """Seal the vault with another password. Raises `CredentialError`."""
    passwords.unlock(desk)
    new = passwords.new()
    try:
        asyncio.run(desk.change_password(new))
    finally:
        new.wipe()
    return {"v": 1, "vault": str(desk.path), "keys": len(desk.keys())}


def changed_password_text(answer: Mapping[str, Any]) -> str:
    """What happened, for people."""
    return (
        f"{answer['vault']} opens with the new password. Copies made before, as backups and what file "
        "systems keep, still open with the old one: if others know that, make new keys at the venue"
    )


def summary(desk: Desk, name: str) -> KeySummary:
    """What may be seen of the key with this name. Raises `CredentialError`."""
    keys = desk.keys()
    for key in keys:
        if key.name == name:
            return key
    known = ", ".join(key.name for key in keys) or "none"
    raise CredentialError(f"the vault has no key called {harmless(name)}; it has: {known}")


def described(key: KeySummary | Draft) -> str:
    """What may be seen of a key, on one line."""
    return f"{KIND_NAMES[key.kind]}, {key.algorithm}, ...{key.tail}"
