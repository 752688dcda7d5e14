"""The step of the wizard in which a person says which of the two kinds of keys theirs is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.credentials.desk import ADVANCED, EXCHANGE, KIND_NAMES, KINDS
from pinnacle_tui.credential_wizard import Stage
from pinnacle_tui.screens.credential_step import Step, sentence

_WHOSE: Final[Mapping[str, str]] = {
    ADVANCED: (
        "Most people. Made in the Coinbase Developer Platform or in the Coinbase app's settings; comes as a "
        "file with name and privateKey."
    ),
    EXCHANGE: (
        "Institutions. Made in the settings of Coinbase Exchange; has a key, a secret and a passphrase that "
        "you chose."
    ),
}


class VenueStep(Step):
    """The two kinds, each with a sentence by which a person knows their own."""

    HEADING = "Which key do you have?"

    def compose(self) -> ComposeResult:
        """The kinds."""
        yield OptionList(
            *(
                Option(
                    Content.assemble((KIND_NAMES[kind], "bold"), "\n", (_WHOSE[kind], "$muted")),
                    id=kind,
                )
                for kind in KINDS
            ),
            id="kinds",
        )
        yield sentence(
            "Give the key the rights to view and to trade, never to transfer, and an allow-list with this "
            "machine's address.",
            "muted",
        )

    def on_mount(self) -> None:
        """What was chosen before is highlighted."""
        options = self.query_one(OptionList)
        options.highlighted = KINDS.index(self.wizard.kind or ADVANCED)
        options.focus()

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        return {"next": "choose"}

    def do(self, deed: str) -> None:
        """See `Step`."""
        self.query_one(OptionList).action_select()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """This kind."""
        event.stop()
        self.wizard.choose(str(event.option_id))
        self.go(Stage.KEY)
