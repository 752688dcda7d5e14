"""The step of the wizard in which a key is pasted, or its file named. What it is is told at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Input, Static

from engine.core.errors import CredentialError
from engine.core.foreign_text import visible
from engine.credentials.desk import ADVANCED, FIELDS, KIND_NAMES, Draft
from pinnacle_tui.credential_wizard import Stage
from pinnacle_tui.screens.credential_step import Step, sentence, told
from pinnacle_tui.widgets.path_suggester import PathSuggester
from pinnacle_tui.widgets.secret_input import SecretInput

_CALM_S: Final = 0.15
"""After the last letter; until then what is typed is not looked at."""
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "name": ("name", "organizations/…/apiKeys/…"),
    "privateKey": ("private key", "-----BEGIN … or base64, in one line or many"),
    "key": ("key", "as Coinbase Exchange shows it"),
    "secret": ("secret", "base64, shown once when the key was made"),
    "passphrase": ("passphrase", "the one you chose"),
}
"""What the parts are called, and what they look like."""
_ALGORITHMS: Final[Mapping[str, str]] = {
    "ES256": "an ECDSA P-256 private key (ES256)",
    "EdDSA": "an Ed25519 private key (EdDSA)",
    "HMAC-SHA256": "key, secret and passphrase (HMAC-SHA256)",
}


class KeyStep(Step):
    """Masked fields for the parts, and one for the path of a file that has all of them."""

    def compose(self) -> ComposeResult:
        """The fields, and what was recognised."""
        is_advanced = self._kind == ADVANCED
        yield sentence(
            f"Paste the {'two' if is_advanced else 'three'} parts; a whole key file pasted into any field "
            "fills all of them. Or name the file.",
            "muted",
        )
        for part in FIELDS[self._kind]:
            words, looks = _WORDS[part]
            with Horizontal(classes="field"):
                yield Static(words, classes="label", markup=False)
                yield SecretInput(is_document=part != "passphrase", placeholder=looks, id=f"part-{part}")
        with Horizontal(classes="field"):
            yield Static("or a file", classes="label", markup=False)
            yield Input(
                self.wizard.key_file,
                placeholder="~/Downloads/cdp_api_key.json",
                suggester=PathSuggester(),
                id="file",
                compact=True,
            )
        yield told()

    def on_mount(self) -> None:
        """What was entered before stands there again."""
        self._calm: Timer | None = None
        for part, held in self.wizard.parts.items():
            self._field(part).fill(held)
        self._field(FIELDS[self._kind][0]).focus()
        self._look()

    @property
    def heading(self) -> str:
        """See `Step`."""
        return f"The key of {KIND_NAMES[self._kind]}"

    @property
    def _kind(self) -> str:
        return self.wizard.kind or ADVANCED

    # -- what is typed -----------------------------------------------------------------------------

    def on_secret_input_changed(self, event: SecretInput.Changed) -> None:
        """Another text: what it is, is looked at when the typing pauses."""
        part = str(event.field.id).removeprefix("part-")
        held = event.field.copy()
        if held == self.wizard.parts.get(part):
            held.wipe()  # what was entered before, back in its field
            return
        self.wizard.enter(part, held)
        if self._calm is not None:
            self._calm.stop()
        self._calm = self.set_timer(_CALM_S, self._look)

    def on_secret_input_refused(self, event: SecretInput.Refused) -> None:
        """It does not belong here."""
        event.stop()
        self.tell(event.why, "$error")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Another path."""
        if event.value != self.wizard.key_file:
            self.wizard.key_file = event.value
            self.wizard.drop_draft()
            self._look()

    def on_secret_input_submitted(self, event: SecretInput.Submitted) -> None:
        """Enter: to the next part that is empty, or on."""
        event.stop()
        missing = self._missing()
        if missing and not self._holds_document():
            self._field(missing[0]).focus()
        else:
            self._read()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the path."""
        event.stop()
        self._read()

    # -- what it is --------------------------------------------------------------------------------

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        return {"next": "go on"}

    def do(self, deed: str) -> None:
        """See `Step`."""
        self._read()

    def _read(self) -> None:
        try:
            self.wizard.understand(self._draft())
        except CredentialError as error:
            self.tell(visible(str(error)), "$error")
        else:
            self.go(Stage.CHECK)

    def _look(self) -> None:
        """Say what there is, as far as it can be told."""
        missing = self._missing()
        if any(field.is_unfinished for field in self.query(SecretInput)):
            self.tell("the text is not whole yet: its last line is missing", "$warning")
        elif self._is_by_file():
            self.tell("enter reads the file; it must be yours, and readable by nobody else")
        elif missing and not self._holds_document():
            self.tell(f"still to come: {', '.join(_WORDS[part][0] for part in missing)}")
        else:
            self._recognise()

    def _recognise(self) -> None:
        try:
            draft = self._draft()
        except CredentialError as error:
            self.tell(visible(str(error)), "$error")
            return
        draft.document.wipe()
        self.tell(
            f"✓ {_ALGORITHMS.get(draft.algorithm, draft.algorithm)}, …{visible(draft.tail)}", "$success"
        )

    def _draft(self) -> Draft:
        """The key in what is entered. Raises `CredentialError`."""
        desk = self.wizard.desk
        if self._is_by_file():
            return desk.read_file(self._kind, _path(self.wizard.key_file.strip()))
        return desk.read_parts(self._kind, self.wizard.parts)

    def _is_by_file(self) -> bool:
        return bool(self.wizard.key_file.strip()) and not any(self.wizard.parts.values())

    def _missing(self) -> list[str]:
        return [part for part in FIELDS[self._kind] if not self._field(part).size_bytes]

    def _holds_document(self) -> bool:
        return any(field.is_json for field in self.query(SecretInput))

    def _field(self, part: str) -> SecretInput:
        return self.query_one(f"#part-{part}", SecretInput)


def _path(text: str) -> Path:
    """Raises `CredentialError` for what is no path."""
    if not text.isprintable():
        raise CredentialError("there can be no file of that name; type its path again")
    return Path(os.path.expanduser(text))  # the home of nobody is left as it is
