"""`credentials import`: keys out of files that others wrote, checked at the venue and sealed anew."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from engine.commands.credential_desk import Desk
from engine.commands.credential_files import Contents, read_contents
from engine.commands.credential_passwords import Passwords
from engine.commands.credentials import described, look
from engine.commands.doctor_check import EXIT_KEY
from engine.commands.pasted_keys import draft_of
from engine.core.errors import CredentialError, UsageError
from engine.core.secret import Secret
from engine.credentials.desk import Draft, Fitness, VaultState
from engine.credentials.entries import require_name

_UNSURE: Final = (
    "a file of this kind cannot tell a wrong password from damage: compare the ids with the venue's"
)


def imported(
    desk: Desk,
    passwords: Passwords,
    path: Path,
    *,
    name: str | None,
    kind: str | None,
    is_confirmed: Callable[[str], bool],
    told: Callable[[str], None],
) -> dict[str, Any]:
    """Put every key of a file that the venue does not refuse into the vault, once they were shown.

    `told` hears what happens as it happens. The exit code is 4 where a key was refused. Raises
    `CredentialError` for a file or a vault that cannot be used, `UsageError` for a name that cannot be meant.
    """
    contents = read_contents(
        path, kind, lambda: passwords.ask(f"Password of {path.name}: "), floor=desk.floor
    )
    answer: dict[str, Any] = {"v": 1, "vault": str(desk.path), "file": str(path), "saved": [], "refused": []}
    answer |= {"left_out": contents.left_out, "is_clear": contents.is_clear, "exit_code": 0}
    for found in contents.keys:
        told(f"found {described(draft_of(found.key))}")
    for sentence in contents.left_out:
        told(f"left out: {sentence}")
    if not contents.is_sure:
        told(_UNSURE)
    if not contents.keys or not is_confirmed(f"Put {len(contents.keys)} into {desk.path}?"):
        return answer
    master = _ready(desk, passwords)
    try:
        for each, draft in _named(desk, contents, name).items():
            told(f"{each}, {described(draft)}, at {desk.venue}")
            if desk.fitness(look(desk, draft, told)) is Fitness.REFUSED:
                answer["refused"].append(each)
                answer["exit_code"] = EXIT_KEY
            else:
                asyncio.run(desk.save(each, draft, master))
                answer["saved"].append(each)
    finally:
        if master is not None:
            master.wipe()
    return answer


def _ready(desk: Desk, passwords: Passwords) -> Secret | None:
    """Open the vault; where there is none yet, the master password that it will get."""
    if desk.state is not VaultState.ABSENT:
        passwords.unlock(desk)
        return None
    master = passwords.first()
    asyncio.run(desk.require_strong(master))
    return master


def _named(desk: Desk, contents: Contents, name: str | None) -> dict[str, Draft]:
    """The keys by the names they get; all of them can be had before the first is saved."""
    if name is not None and len(contents.keys) > 1:
        raise UsageError(f"--name {name}: the file has {len(contents.keys)} keys, and this names one")
    known = desk.keys()
    taken = {key.name for key in known}
    named: dict[str, Draft] = {}
    for found in contents.keys:
        draft = draft_of(found.key, taken | named.keys())
        wanted = name or found.name or draft.suggested_name
        if name is None and wanted in taken:
            wanted = draft.suggested_name
        require_name(wanted)
        if wanted in taken:
            raise CredentialError(
                f"the vault has a key named {wanted} already, nothing was changed: name this one with --name"
            )
        named[wanted] = draft
    return named


def imported_text(answer: Mapping[str, Any]) -> str:
    """What became of the file's keys, and what is to be done with the file, for people."""
    lines = []
    if answer["saved"]:
        lines.append(f"saved in {answer['vault']}: {', '.join(answer['saved'])}")
    if answer["refused"]:
        lines.append(f"not saved, as the check says: {', '.join(answer['refused'])}")
    if not lines:
        return "nothing was saved"
    if answer["saved"] and answer["is_clear"]:
        file = shlex.quote(answer["file"])
        lines.append(
            f"{answer['file']} still holds the key in clear. Delete it: shred -u {file}. That does not reach "
            "copies of it, as backups and what a solid-state disk keeps: if others may have one, make a new "
            "key at the venue"
        )
    elif answer["saved"]:
        lines.append(f"{answer['file']} still opens with its own password; delete it when nobody needs it")
    return "\n".join(lines)
