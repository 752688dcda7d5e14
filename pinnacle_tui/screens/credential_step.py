"""What every step of the wizard is: a part of its screen with a heading, fields, and the keys it offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from pinnacle_tui.credential_wizard import Stage, Wizard


class Step(Vertical):
    """One step. It tells the screen where to go by `Left`, and that its keys are others by `Changed`."""

    HEADING: ClassVar[str] = ""

    class Left(Message):
        """This step is done: to another stage."""

        def __init__(self, step: Step, stage: Stage) -> None:
            super().__init__()
            self.step = step
            self.stage = stage

    class Changed(Message):
        """Other keys do something now."""

    class Ended(Message):
        """Nothing can be done here any more; the wizard knows why."""

    def __init__(self, wizard: Wizard) -> None:
        super().__init__(classes="step")
        self.wizard = wizard

    @property
    def heading(self) -> str:
        """The title of the step."""
        return self.HEADING

    def offers(self) -> Mapping[str, str]:
        """What can be done now: deeds of the screen's keys, and what to call each here."""
        return {}

    def do(self, deed: str) -> None:
        """Do what was offered."""

    def go(self, stage: Stage) -> None:
        """To another stage."""
        self.post_message(self.Left(self, stage))

    def tell(self, told: str, style: str = "$muted") -> None:
        """Say a sentence below the fields."""
        content = Content.styled(told, style)
        for place in self.query("#told").results(Static):  # none while the step is taken down
            if place.content != content:
                place.update(content)
        self.post_message(self.Changed())


def sentence(words: str, *classes: str) -> Static:
    """A paragraph of a step. Words are data: no markup."""
    return Static(words, classes=" ".join(("words", *classes)), markup=False)


def told() -> Static:
    """The place where `Step.tell` speaks."""
    return Static(classes="words", id="told", markup=False)
