"""The keys of an open vault, and what can be done with them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.core.errors import CredentialError
from engine.core.foreign_text import visible
from engine.credentials.desk import KIND_NAMES, KeySummary
from pinnacle_tui.credential_wizard import Stage
from pinnacle_tui.screens.credential_step import Step, sentence, told
from pinnacle_tui.screens.typed_word import TypedWord
from pinnacle_tui.widgets.rows import left

_NAME_CELLS: Final = 20
_KIND_CELLS: Final = 25
_ALGORITHM_CELLS: Final = 13


class KeysStep(Step):
    """A line a key: name, venue, algorithm, and the end of its id. Never a secret."""

    HEADING = "Keys in the vault"

    def compose(self) -> ComposeResult:
        """The list, or that there is none."""
        yield sentence(visible(str(self.wizard.desk.path)), "muted")
        keys = self.wizard.keys
        if keys:
            yield OptionList(*(Option(_line(key), id=key.name) for key in keys))
        else:
            yield sentence("There is no key in it yet.")
        yield told()

    def on_mount(self) -> None:
        """The first key is highlighted."""
        for options in self.query(OptionList):
            options.highlighted = 0
            options.focus()
        self.tell(self.wizard.notice, "$success")
        self.wizard.notice = ""

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        if self.wizard.is_busy:
            return {}
        always = {"add": "add a key", "password": "change the password"}
        if self._highlighted is None:
            return always
        return always | {"remove": "remove", "test": "check"}

    def do(self, deed: str) -> None:
        """See `Step`."""
        name = self._highlighted
        if deed == "add":
            self.wizard.forget()
            self.go(Stage.VENUE)
        elif deed == "password":
            self.go(Stage.CHANGE_PASSWORD)
        elif name is not None and deed == "test":
            self._test(name)
        elif name is not None and deed == "remove":
            self._ask_to_remove(name)

    @property
    def _highlighted(self) -> str | None:
        for options in self.query(OptionList):
            if options.highlighted is not None:
                return options.get_option_at_index(options.highlighted).id
        return None

    def _test(self, name: str) -> None:
        try:
            self.wizard.understand(self.wizard.desk.draft(name))
        except CredentialError as error:
            self.tell(visible(str(error)), "$error")
        else:
            self.wizard.name = name
            self.go(Stage.CHECK_AGAIN)

    def _ask_to_remove(self, name: str) -> None:
        question = TypedWord(
            f"Remove the key {visible(name)}?",
            "It is taken out of the vault; the state before, with it, stays beside it, encrypted, until the "
            "next save. The venue goes on taking it: delete it there too, where it is not used any more.",
            word=name,
            yes="Remove it",
            no="Keep it",
        )
        self.app.push_screen(question, partial(self._if_yes, name))

    def _if_yes(self, name: str, answer: bool | None) -> None:
        if answer and self.is_attached:
            self.wizard.is_busy = True
            self.tell("sealing the vault without it…")
            self.run_worker(self._remove(name), name="remove a key")

    async def _remove(self, name: str) -> None:
        try:
            await self.wizard.desk.remove(name)
        except CredentialError as error:
            self.tell(visible(str(error)), "$error")
        else:
            self.wizard.notice = f"{name} was removed, the others are kept"
            self.go(Stage.VAULT)
        finally:
            self.wizard.is_busy = False
            self.post_message(self.Changed())


def _line(key: KeySummary) -> Content:
    tail = f"…{key.tail}" if key.tail else ""
    kind = KIND_NAMES.get(key.kind, key.kind)
    return Content.assemble(
        (left(visible(key.name), _NAME_CELLS), "bold"),
        f" {left(visible(kind), _KIND_CELLS)} ",
        (f"{left(visible(key.algorithm), _ALGORITHM_CELLS)}{visible(tail)}", "$muted"),
    )
