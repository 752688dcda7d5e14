"""Leaving. Our engine is asked to cancel its orders and prove it; with open orders a person decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from engine.core.foreign_text import visible
from engine.link.messages import CommandName, Verdict
from engine.link.mirror import LinkState, Pending
from engine.link.settings import KEEP_RUNNING
from pinnacle_tui.numbers import Numbers, age
from pinnacle_tui.screens.answers import Answer, Question
from pinnacle_tui.screens.order_list import orders_text, working_orders

if TYPE_CHECKING:
    from pinnacle_tui.app import ConsoleApp

_REFRESH_S: Final = 0.2


def ask_to_quit(app: ConsoleApp) -> None:
    """Leave at once where nothing of ours can be left behind; else ask, or tell what is waited for."""
    session = app.session
    if session.ending is not None or not session.host.is_owned:
        app.leave(0)
    elif isinstance(app.screen, QuitDialog | StoppingDialog):
        return  # asked already; to ask again is no answer
    elif working_orders(app) and not session.is_stopping and not app.is_playback:
        app.push_screen(QuitDialog())
    else:
        stop(app)


def stop(app: ConsoleApp) -> None:
    """See that the engine is asked to end, and show what is waited for; leave where it has ended."""
    session = app.session
    if session.ending is not None:
        app.leave(0)
        return
    if not session.is_stopping:  # asked again, it would be killed
        session.stop()
    app.push_screen(StoppingDialog())


def close_question(app: ConsoleApp) -> None:
    """The engine has ended: there is nothing to decide about it any more, nor to wait for."""
    for screen in app.screen_stack[-1:]:
        if isinstance(screen, QuitDialog | StoppingDialog):
            screen.dismiss(None)


class QuitDialog(Question):
    """Open orders, and what to do about them. To stay is the answer that has the focus."""

    AUTO_FOCUS = "#stay"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "stay", "stay", key_display="esc", tooltip="Stay here", id="quit.stay"),
        Binding(
            "y",
            "cancel_and_quit",
            "cancel all and quit",
            tooltip="Cancel all orders, wait for the proof, end the engine and leave",
            id="quit.cancel",
        ),
        Binding(
            "L",
            "leave_running",
            "leave it running",
            tooltip="Leave; the engine goes on quoting without this console",
            id="quit.leave_running",
        ),
    ]

    def __init__(self) -> None:
        super().__init__(is_grave=True)

    def compose(self) -> ComposeResult:
        """The orders and the three ways."""
        orders, hello = working_orders(self.console), self.console.mirror.hello
        count = f"{len(orders)} order{' is' if len(orders) == 1 else 's are'} open"
        name = visible(hello.session) if hello is not None else ""
        with Vertical(id="dialog"):
            yield Static(f"Quit while {count}?", classes="title", markup=False)
            yield Static(self._orders(), classes="words", markup=False)
            if positions := self._positions():
                yield Static(
                    f"You hold {positions}; quitting leaves that as it is.",
                    classes="words",
                    markup=False,
                )
            with Vertical(id="answers"):
                yield Answer("stay", "Stay", is_safe=True, id="stay")
                yield Answer("cancel_and_quit", "Cancel all and quit", id="cancel")
                yield Answer("leave_running", "Leave the engine running and quit", id="leave")
            yield Static(
                f"An engine that is left running goes on trading. Back to it: pinnacle-tui attach {name}",
                classes="words muted",
                id="back",
                markup=False,
            )

    def action_stay(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

    def action_cancel_and_quit(self) -> None:
        """The engine cancels, proves it and ends."""
        if self.is_meant():
            app = self.console
            self.dismiss(None)
            app.call_later(stop, app)

    def action_leave_running(self) -> None:
        """The engine is told to outlive its console; only when it has agreed do we leave."""
        if self.is_meant():
            self.query_one("#back", Static).update("Asking the engine to go on by itself.")
            arguments = {"key": "console.on_owner_lost", "value": KEEP_RUNNING}
            if self.console.operations.send(CommandName.SET, arguments, self._told) is None:
                self.dismiss(None)

    def _told(self, pending: Pending) -> None:
        ack, app = pending.ack, self.console
        if ack is None or not pending.is_final:
            return
        if ack.verdict is Verdict.DONE:
            app.session.let_run()
            app.leave(0)
            return
        why = f": {ack.text}" if ack.text else ""
        app.say(
            f"the engine did not agree to go on by itself{why}. Nothing was left; you are still here.",
            "error",
        )
        if self.is_current:
            self.dismiss(None)

    def _positions(self) -> str:
        mirror = self.console.mirror
        held = []
        for book in mirror.view.products if mirror.view is not None else ():
            product = mirror.product(book.symbol)
            if product is not None and book.pnl.position:
                held.append(f"{Numbers.of(product, book).position(book.pnl.position)} {product.base}")
        return visible(", ".join(held))

    def _orders(self) -> Content:
        app = self.console
        listed = orders_text(working_orders(app))
        if app.session.link_state is LinkState.DOWN:
            old = age(app.mirror.silent_ns(app.session.clock.monotonic_ns()))
            return Content("\n").join([Content(f"The link is down; these were open {old} ago:"), listed])
        return listed


class StoppingDialog(Question):
    """The engine is ending: what is waited for, and the way to be done with it."""

    AUTO_FOCUS = "#back"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,enter",
            "back",
            "back",
            key_display="esc",
            tooltip="Look at the screen",
            id="stopping.back",
        ),
        Binding(
            "X",  # none of the keys that lead here
            "insist",
            "kill it",
            tooltip="Kill the engine now; nobody proves then that no order is open",
            id="stopping.insist",
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._since_ns = 0

    def compose(self) -> ComposeResult:
        """What is waited for."""
        with Vertical(id="dialog"):
            is_playback = self.console.is_playback
            what = "Closing the playback" if is_playback else "Stopping the engine"
            insist = "Kill it now" if is_playback else "Kill it now, without proof that no order is open"
            yield Static(what, classes="title", markup=False)
            yield Static(classes="words", id="waiting", markup=False)
            with Vertical(id="answers"):
                yield Answer("back", "Wait, and look at the screen meanwhile", is_safe=True, id="back")
                yield Answer("insist", insist, id="insist")

    def on_mount(self) -> None:
        """Tell, and go on telling."""
        self._since_ns = self.console.session.clock.monotonic_ns()
        self._tell()
        self.set_interval(_REFRESH_S, self._tell)

    def action_back(self) -> None:
        """The engine goes on ending."""
        self.dismiss(None)

    def action_insist(self) -> None:
        """Do not wait any longer."""
        if self.is_meant():
            app = self.console
            if app.is_playback:
                app.say("the playback is being killed; nothing trades in it")
            else:
                app.say("the engine is being killed; nobody has proven that no order is open", "error")
            app.session.stop()

    def _tell(self) -> None:
        app = self.console
        session = app.session
        orders = [] if app.is_playback else working_orders(app)
        waited = age(session.clock.monotonic_ns() - self._since_ns)
        for_what = "end" if app.is_playback else "cancel its orders, prove it and end"
        lines = [Content(f"Waiting for it to {for_what}: {waited}")]
        if session.trouble:
            lines.append(Content.assemble((visible(session.trouble), "$error")))
        if orders:
            lines += [Content("Still open:"), orders_text(orders)]
        for waiting in self.query("#waiting").results(Static):  # none while the dialog is taken down
            waiting.update(Content("\n").join(lines))
