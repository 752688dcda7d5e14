"""What became of the kill switch: sent, acknowledged, proven; or not proven, and what may still be open."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from engine.core.foreign_text import visible
from engine.link.messages import Verdict
from engine.link.mirror import Pending
from pinnacle_tui.bound_keys import key_of
from pinnacle_tui.numbers import age
from pinnacle_tui.operations import Unsent
from pinnacle_tui.screens.answers import Answer
from pinnacle_tui.screens.base import Dialog
from pinnacle_tui.screens.order_list import orders_text, working_orders
from pinnacle_tui.widgets.rows import left

_STEP_CELLS: Final = 14
_REFRESH_S: Final = 0.1


class KillReport(Dialog):
    """Shown after the kill switch was sent; it only tells, and can be closed at any time."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,enter", "close", "close", key_display="esc", tooltip="Close this report", id="kill.close"
        )
    ]

    def __init__(self) -> None:
        super().__init__(classes="-grave")
        self._sent: Pending | Unsent | None = None

    def show(self, sent: Pending | Unsent) -> None:
        """Tell what became of the kill that was sent last."""
        self._sent = sent
        self._tell()

    def told(self, pending: Pending) -> None:
        """The engine has answered, or has not in time. Of a kill that was repeated only the last counts."""
        if self._sent is None or pending is self._sent:
            self.show(pending)

    def compose(self) -> ComposeResult:
        """The steps, then what they mean."""
        with Vertical(id="dialog"):
            yield Static("Kill switch", classes="title", markup=False)
            yield Static(classes="words", id="steps", markup=False)
            yield Static(classes="words", id="meaning", markup=False)
            with Vertical(id="answers"):
                yield Answer("close", "Close this report", is_safe=True)

    def on_mount(self) -> None:
        """Count the time until the last word is said."""
        self._tell()
        self.set_interval(_REFRESH_S, self._count)

    def action_close(self) -> None:
        """Close; what was sent stays sent."""
        self.dismiss(None)

    def _count(self) -> None:
        if isinstance(self._sent, Pending) and not self._sent.is_final:
            self._tell()

    def _tell(self) -> None:
        for steps in self.query("#steps").results(Static):  # none before the report is on the screen
            steps.update(Content("\n").join(self._steps()))
            self.query_one("#meaning", Static).update(self._meaning())

    def _steps(self) -> list[Content]:
        sent = self._sent
        if sent is None:
            return []
        if isinstance(sent, Unsent):
            if not sent.is_signalled:
                return [_step("!", "$error", "not sent", f"nothing could be sent: {sent.reason}")]
            return [
                _step("!", "$error", "not sent", sent.reason),
                _step(
                    "·", "$muted", "signalled", "a signal was sent to the engine instead; it gives no answer"
                ),
            ]
        ack = sent.ack
        waited = age(self.console.session.clock.monotonic_ns() - sent.sent_ns)
        steps = [_step("✓", "$success", "sent", "")]
        if ack is None:
            steps.append(_step("·", "$muted", "acknowledged", f"waiting, {waited}"))
            return steps
        took = f"{ack.ms:.0f} ms"
        match ack.verdict:
            case Verdict.ACCEPTED:
                steps.append(_step("✓", "$success", "acknowledged", f"{took}  {ack.text}".rstrip()))
                steps.append(_step("·", "$muted", "proven", f"waiting, {waited}"))
            case Verdict.DONE:
                steps.append(_step("✓", "$success", "acknowledged", ""))
                steps.append(_step("✓", "$success", "proven", f"{took}  {ack.text}".rstrip()))
            case Verdict.REJECTED:
                steps.append(_step("!", "$error", "refused", ack.text))
            case Verdict.UNKNOWN:
                steps.append(_step("!", "$error", "not proven", ack.text))
        return steps

    def _meaning(self) -> Content:
        sent = self._sent
        if sent is None:
            return Content("")
        ack = sent.ack if isinstance(sent, Pending) else None
        verdict = ack.verdict if ack is not None else None
        if verdict is Verdict.DONE:
            return Content(
                "No order is open and none will be sent. The position stays as it is. "
                "Trading starts again only after somebody rearms the engine."
            )
        if isinstance(sent, Pending) and verdict in (None, Verdict.ACCEPTED):
            return Content("Every order is being cancelled; nothing new is sent.")
        return self._what_now(ack.open_orders if ack is not None else ())

    def _what_now(self, ids: tuple[str, ...]) -> Content:
        """What may still trade, and what to do about it."""
        app = self.console
        known = working_orders(app)
        listed = [order for order in known if order.order.client_id in ids] if ids else known
        unseen = set(ids) - {order.order.client_id for order in listed}
        parts: list[Content] = []
        if listed:
            parts.append(Content("These orders may still trade:"))
            parts.append(orders_text(listed))
        if unseen:
            parts.append(Content(visible(f"Also possibly open: {', '.join(sorted(unseen))}")))
        if not parts:
            parts.append(Content("Nobody has proven that no order is open."))
        parts += [Content(""), Content(self._advice())]
        return Content("\n").join(parts)

    def _advice(self) -> str:
        app = self.console
        advice = "Look at your orders at the venue itself, and cancel there what is left."
        if app.session.ending is not None:
            return advice
        key = key_of(app, "app.kill") or key_of(app, "app.kill_now")
        again = f"Press {key} again. " if key else ""
        return f"{again}{advice} From another terminal: pinnacle-tui ctl kill"


def _step(mark: str, colour: str, name: str, words: str) -> Content:
    return Content.assemble((f"{mark} ", colour), left(name, _STEP_CELLS), (visible(words), "$muted"))
