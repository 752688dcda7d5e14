"""The last steps of the wizard: the key gets a name and is saved, and what comes next is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from engine.core.errors import CredentialError
from engine.core.foreign_text import visible
from engine.credentials.desk import KIND_NAMES, Fitness
from engine.credentials.entries import LONGEST_NAME, require_name
from pinnacle_tui.credential_wizard import Stage
from pinnacle_tui.screens.credential_step import Step, sentence, told
from pinnacle_tui.widgets.rows import left

_LABEL_CELLS: Final = 11
_CHECKED: Final[Mapping[Fitness | None, tuple[str, str]]] = {
    Fitness.GOOD: ("✓ the venue takes it", "$success"),
    Fitness.LIMITED: ("! the venue takes it, with reservations", "$warning"),
    Fitness.UNCHECKED: ("! the venue could not be asked; it is checked before it trades", "$warning"),
}


class NameStep(Step):
    """What the key is called from now on."""

    HEADING = "Give it a name"

    def compose(self) -> ComposeResult:
        """The field."""
        draft, wizard = self.wizard.draft, self.wizard
        suggested = draft.suggested_name if draft is not None else ""
        yield sentence("By this name you tell your keys apart, as in --key NAME.", "muted")
        with Horizontal(classes="field"):
            yield Static("name", classes="label", markup=False)
            yield Input(wizard.name or suggested, id="name", max_length=LONGEST_NAME, compact=True)
        yield told()

    def on_mount(self) -> None:
        """The suggested name can be taken at once."""
        self.query_one(Input).focus()
        self._look()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Check while it is typed."""
        self._look()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the field."""
        event.stop()
        if self.offers():
            self._save()

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        return {} if self.wizard.is_busy or self._problem() else {"next": "save"}

    def do(self, deed: str) -> None:
        """See `Step`."""
        self._save()

    @property
    def _typed(self) -> str:
        return self.query_one(Input).value.strip()

    def _problem(self) -> str:
        if not self._typed:
            return "it needs a name"
        try:
            require_name(self._typed)
        except CredentialError as error:
            return str(error)
        taken = self._typed in [key.name for key in self.wizard.keys]
        return f"the vault has a key named {self._typed} already" if taken else ""

    def _look(self) -> None:
        problem = self._problem()
        if problem:
            self.tell(visible(problem), "$error")
        else:
            self.tell("enter saves the key; the vault is then read back and opened again")

    def _save(self) -> None:
        self.wizard.name = self._typed
        self.wizard.is_busy = True
        self.query_one(Input).disabled = True
        self.tell("deriving the key from the password, and sealing the vault…")
        self.run_worker(self._saved(), name="save a key")

    async def _saved(self) -> None:
        try:
            await self.wizard.save()
        except CredentialError as error:
            field = self.query_one(Input)
            field.disabled = False
            field.focus()
            self.tell(visible(str(error)), "$error")
        else:
            self.go(Stage.SAVED)
        finally:
            self.wizard.is_busy = False
            self.post_message(self.Changed())


class SavedStep(Step):
    """What was saved, and what to do with it."""

    HEADING = "The key is saved"

    def compose(self) -> ComposeResult:
        """The summary, the commands, the advice."""
        yield Static(Content("\n").join(self._summary()), classes="words", markup=False)
        yield Static(Content("\n").join(self._next()), classes="words", markup=False)
        yield sentence(
            "At Coinbase: set an allow-list with this machine's address. Use one key for each program. When "
            "somebody may have seen it, make a new one and delete this one.",
            "muted",
        )

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        return {"next": "to the list of keys"}

    def do(self, deed: str) -> None:
        """See `Step`."""
        self.go(Stage.VAULT)

    def _summary(self) -> Iterator[Content]:
        saved = self.wizard.saved
        if saved is None:
            return
        words, style = _CHECKED.get(self.wizard.fitness, ("", "$muted"))
        for label, said, colour in (
            ("name", saved.name, "bold $accent"),
            ("venue", KIND_NAMES.get(saved.kind, saved.kind), "$text"),
            ("key", f"{saved.algorithm}, id …{saved.tail}", "$text"),
            ("vault", str(self.wizard.desk.path), "$text"),
            ("check", words, style),
        ):
            yield Content.assemble((left(label, _LABEL_CELLS), "$muted"), (visible(said), colour))

    def _next(self) -> Iterator[Content]:
        name = self.wizard.saved.name if self.wizard.saved is not None else ""
        live = f"pinnacle-tui --mode live --key {visible(name)}"
        for command, meaning in (
            ("pinnacle-tui --mode paper", "the real market, simulated orders"),
            (live, "real orders"),
        ):
            yield Content.assemble((left(command, len(live)), "bold"), (f"   {meaning}", "$muted"))
