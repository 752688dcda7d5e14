"""The step of the wizard in which the venue is asked about the key: finding by finding, with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.core.foreign_text import visible
from engine.credentials.desk import Finding, Fitness, Verdict
from pinnacle_tui.screens.credential_step import Step, told

_MARKS: Final[Mapping[Verdict, tuple[str, str]]] = {
    Verdict.OK: ("✓", "bold $success"),
    Verdict.WARN: ("!", "bold $warning"),
    Verdict.FAIL: ("✗", "bold $error"),
    Verdict.SKIPPED: ("·", "$muted"),
}
_MEANINGS: Final[Mapping[Fitness, tuple[str, str]]] = {
    Fitness.GOOD: ("The venue takes the key; it may view and trade, and nothing beyond.", "$success"),
    Fitness.LIMITED: ("The venue takes the key; read what is marked, then it can be saved.", "$warning"),
    Fitness.UNCHECKED: (
        "The venue could not be asked. The key can be saved unchecked; it is checked before it trades.",
        "$warning",
    ),
    Fitness.REFUSED: ("The key is not saved. Go back and enter another one.", "$error"),
}


class CheckStep(Step):
    """Asks when it is opened, unless it has been asked already."""

    HEADING = "Is it taken?"

    def compose(self) -> ComposeResult:
        """The findings, and what they mean together."""
        yield VerticalScroll(id="findings")
        yield told()

    def on_mount(self) -> None:
        """Ask, or show what was found."""
        findings = self.query_one("#findings")
        findings.focus()
        self.watch(findings, "scroll_y", self.wizard.touch)  # who scrolls is reading
        if self.wizard.fitness is None:
            self._ask()
        else:
            for finding in self.wizard.findings:
                self._show(finding)
            self._say()

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        match self.wizard.fitness:
            case None:
                return {}
            case Fitness.GOOD | Fitness.LIMITED:
                return {"next": "go on", "again": "check again"}
            case Fitness.UNCHECKED:
                return {"again": "check again", "unchecked": "save it unchecked"}
            case _:
                return {"again": "check again"}

    def do(self, deed: str) -> None:
        """See `Step`."""
        if deed == "again":
            self._ask()
        else:
            self.go(self.wizard.next_stage)

    def _ask(self) -> None:
        self.wizard.begin_check()
        self._say()
        self.run_worker(self._check(), name="check a key", exclusive=True)

    async def _check(self) -> None:
        wizard, draft = self.wizard, self.wizard.draft
        await self.query_one("#findings").remove_children()
        if draft is None:
            return
        async for finding in wizard.desk.check(draft):
            wizard.touch()
            wizard.findings.append(finding)
            self._show(finding)
            self._say()
        wizard.fitness = wizard.desk.fitness(tuple(wizard.findings))
        self.query_one("#findings").scroll_home(animate=False)  # to be read from the first one on
        self._say()

    def _show(self, finding: Finding) -> None:
        mark, style = _MARKS[finding.verdict]
        words = [Content(visible(finding.words))]
        if finding.advice:
            words.append(Content.styled(f"→ {visible(finding.advice)}", "$muted"))
        row = Horizontal(
            Static(Content.styled(mark, style), classes="mark", markup=False),
            Static(visible(finding.step), classes="label", markup=False),
            Static(Content("\n").join(words), classes="said", markup=False),
            classes="finding",
        )
        findings = self.query_one("#findings")
        findings.mount(row)
        findings.scroll_end(animate=False)

    def _say(self) -> None:
        if self.wizard.fitness is None:
            self.tell(f"asking {visible(self.wizard.desk.venue)}…")
        else:
            self.tell(*_MEANINGS[self.wizard.fitness])


class CheckAgainStep(CheckStep):
    """The same for a key of the vault, which is saved already."""

    @property
    def heading(self) -> str:
        """See `Step`."""
        return f"Is {visible(self.wizard.name)} still taken?"

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        return {} if self.wizard.fitness is None else {"again": "check again"}

    def _say(self) -> None:
        if self.wizard.fitness is Fitness.REFUSED:
            self.tell("The venue does not take it as it is: make another key, and remove this one.", "$error")
        elif self.wizard.fitness is Fitness.UNCHECKED:
            self.tell("The venue could not be asked; nothing is known of the key.", "$warning")
        elif self.wizard.fitness is Fitness.LIMITED:
            self.tell("The venue takes it; read what is marked.", "$warning")
        else:
            super()._say()
