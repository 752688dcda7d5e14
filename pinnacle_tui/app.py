"""The console: one screen over one headless engine that it starts and stops.

It keeps the newest status and draws it ten times a second; it holds no trading state, decides nothing.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Footer, RichLog, Static

from pinnacle_tui.engine_process import Ending, EngineProcess, Report
from pinnacle_tui.themes import DEFAULT, load_theme, themes_folder

_NOTHING = "n/a"
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)

Rows = Sequence[tuple[str, str]]


class ConsoleApp(App[None]):
    """The screen of a run; `command` starts its engine."""

    CSS_PATH = "app.tcss"
    TITLE = "pinnacle"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-stacked"), (62, "-narrow"), (93, "-wide")]  # noqa: RUF012 (its type upstream)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+q,ctrl+c", "quit", "stop the engine and quit", key_display="q", priority=True),
        Binding("n", "next_product", "next product"),
    ]

    def __init__(
        self,
        command: Sequence[str],
        *,
        mode: str,
        notices: Iterable[str] = (),
        on_signal: Callable[[], None] = lambda: None,
    ) -> None:
        """`notices` are sentences that stand among the alerts from the start.

        `on_signal` is called when a signal has told the engine to stop. The terminal may be gone then,
        and the screen blocked in a write to it for ever: only a thread can still end the process.
        """
        super().__init__()
        self.register_theme(load_theme(themes_folder() / f"{DEFAULT}.toml"))
        self.theme = DEFAULT
        self._mode = mode
        self._notices = tuple(notices)
        self._on_signal = on_signal
        self._statuses: dict[str, Report] = {}
        self._shown = 0
        self._engine = EngineProcess(command, self._take, self._engine_ended)
        self._ending: Ending | None = None
        self._previous: dict[signal.Signals, Any] = {}
        # Kept here, not looked up: the engine may still speak when the screen is already taken down.
        self._texts = {
            name: Static(id=name, markup=False) for name in ("header", "engine", "market", "pnl", "activity")
        }
        self._logs = {
            "fills": RichLog(id="fills", max_lines=500),
            "alerts": RichLog(id="alerts", max_lines=200, wrap=True),
        }
        self.last_words = ""
        """How the run ended, to print once the terminal is restored."""

    def compose(self) -> ComposeResult:
        """Header, what there is to say about the engine, figures, fills, alerts, keys."""
        yield self._texts["header"]
        yield self._texts["engine"]
        with Horizontal(id="figures"):
            for name in ("market", "pnl", "activity"):
                yield self._texts[name]
        yield Static("FILLS (UTC)", classes="heading")
        yield self._logs["fills"]
        yield Static("ALERTS", classes="heading")
        yield self._logs["alerts"]
        yield Footer()

    def on_mount(self) -> None:
        """Start the engine and the redraw timer. A hang-up or a terminate request quits like `q`."""
        loop = asyncio.get_running_loop()

        def told(*_: object) -> None:
            # Not through the loop, which may be blocked in a write to a terminal that is gone.
            if not self._engine.is_stopping:
                self._engine.stop()
                self._on_signal()
            loop.call_soon_threadsafe(self._after_signal)

        self._previous = {number: signal.signal(number, told) for number in _SIGNALS}
        self._texts["header"].update(f"{self._mode.upper()}   starting the engine")
        for notice in self._notices:
            self._write("alerts", notice)
        self.set_interval(0.1, self._draw)
        self._engine.start()

    async def on_unmount(self) -> None:
        """However the screen ends, the engine ends with it."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        await self._engine.close()

    async def action_quit(self) -> None:
        """Stop the engine, wait for its last words, leave. Pressed again: kill it."""
        self._leave()

    def _leave(self) -> None:
        if self._ending is not None:
            self.exit(return_code=self._ending.code)
            return
        self._engine.stop()
        self._say_stopping()

    def _after_signal(self) -> None:
        if self._ending is not None:
            self.exit(return_code=self._ending.code)
        else:
            self._say_stopping()

    def _say_stopping(self) -> None:
        self._say("stopping: waiting until the engine has cancelled its orders and ended; q again kills it")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """The footer offers another product only where there is one."""
        return action != "next_product" or len(self._statuses) > 1

    def action_next_product(self) -> None:
        """Show the figures of the next product."""
        self._shown += 1
        self._draw()

    # -- what the engine says --------------------------------------------------------------------

    def _take(self, report: Report) -> None:
        kind = report.get("type")
        if kind in ("status", "summary"):
            self._statuses[str(report.get("product"))] = report
            if kind == "summary":
                ended = (status for status in self._statuses.values() if status["type"] == "summary")
                is_asked = self._engine.is_stopping
                self.last_words = "\n".join(summary_text(end, is_asked=is_asked) for end in ended)
        elif kind == "fill":
            colour = self.theme_variables["bid" if report.get("side") == "buy" else "ask"]
            self._write("fills", Text(fill_text(report), style=colour))
        elif kind == "alert":
            words = (report.get(name, "") for name in ("severity", "code", "text"))
            self._write("alerts", "  ".join(str(word) for word in words if word))

    def _engine_ended(self, ending: Ending) -> None:
        self._ending = ending
        if ending.code or not self.last_words:
            self.last_words = ending.sentence
        if self._engine.is_stopping:
            self.exit(return_code=ending.code)
            return
        self._texts["header"].set_class(ending.code != 0, "wrong")
        self._draw()
        left = " The figures are its last ones;" if self._statuses else ""
        self._say(f"{ending.sentence}.{left} q quits", is_wrong=ending.code != 0)

    # -- drawing ---------------------------------------------------------------------------------

    def _draw(self) -> None:
        if not self._statuses:
            if self._ending is not None:
                self._texts["header"].update(header_text(self._mode, {}, self._ending))
            return
        status = list(self._statuses.values())[self._shown % len(self._statuses)]
        self._texts["header"].update(header_text(self._mode, status, self._ending))
        for name, rows in figures(status, self._engine.unreadable).items():
            lines = (f"{label:<13}{value:>16}" for label, value in rows)
            self._texts[name].update("\n".join(lines))

    def _write(self, log: str, line: str | Text) -> None:
        self._logs[log].write(line, expand=True)

    def _say(self, sentence: str, *, is_wrong: bool = False) -> None:
        line = self._texts["engine"]
        line.set_class(is_wrong, "wrong")
        line.display = True
        line.update(sentence)


def header_text(mode: str, status: Report, ending: Ending | None = None) -> str:
    """Mode, product, state, connection, and why a quote is missing, in one line; or the end of the engine."""
    words = [status.get(name) for name in ("product", "state", "connection", "note")]
    if ending is not None:
        words[1:] = ["ENGINE GONE" if ending.code else "ENGINE ENDED"]
    return "   ".join([mode.upper(), *(str(word) for word in words if word)])


def figures(status: Report, unreadable: int = 0) -> dict[str, Rows]:
    """The rows of each group of figures, as text."""
    latency = status.get("latency_ns")
    ticks = latency.get("tick_to_quote") if isinstance(latency, Mapping) else None
    tick_to_quote = ticks if isinstance(ticks, Mapping) else {}
    base, quote = (str(status.get(name, "")) for name in ("base", "quote"))
    activity = [
        ("open orders", amount(status.get("open_orders"))),
        ("quotes", amount(status.get("quotes"))),
        ("fills", amount(status.get("fills"))),
        ("tick to quote", f"p50 {_microseconds(tick_to_quote.get('p50'))}"),
        ("", f"p99 {_microseconds(tick_to_quote.get('p99'))}"),
    ]
    if unreadable:
        activity.append(("unreadable", f"{unreadable} lines"))
    return {
        "market": (
            ("best ask", amount(status.get("best_ask"))),
            ("best bid", amount(status.get("best_bid"))),
            ("position", amount(status.get("position"), signed=True, unit=base)),
        ),
        "pnl": (
            ("P&L", amount(status.get("equity_change"), signed=True, places=2, unit=quote)),
            ("  realised", amount(status.get("realised_pnl"), signed=True, places=2, unit=quote)),
            ("  unrealised", amount(status.get("unrealised_pnl"), signed=True, places=2, unit=quote)),
            ("  fees", amount(status.get("fees"), places=2, unit=quote)),
            ("captured", amount(status.get("spread_captured"), signed=True, places=2, unit=quote)),
            ("inventory", amount(status.get("inventory_revaluation"), signed=True, places=2, unit=quote)),
            ("residual", amount(status.get("pnl_residual"), unit=quote)),
        ),
        "activity": activity,
    }


def fill_text(fill: Report) -> str:
    """One execution in one line, with its wall time (UTC)."""
    side, size, price = (str(fill.get(name, _NOTHING)) for name in ("side", "size", "price"))
    fee = amount(fill.get("fee"), places=4, unit=str(fill.get("fee_asset", "")))
    return f"{_clock(fill.get('wall_ns'))}  {side:<5}{amount(size):>14} at {amount(price):>14}   fee {fee}"


def _clock(wall_ns: Any) -> str:
    if not isinstance(wall_ns, int):
        return f"{_NOTHING:<8}"
    seconds = wall_ns // 1_000_000_000 % 86_400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def summary_text(summary: Report, *, is_asked: bool = False) -> str:
    """The end of a run in one line; `is_asked` when this console told the engine to stop."""
    profit = amount(summary.get("equity_change"), unit=str(summary.get("quote", "")))
    position = amount(summary.get("position"), unit=str(summary.get("base", "")))
    parts = [
        f"P&L {profit}",
        f"position {position}",
        f"fills {amount(summary.get('fills'))}",
        f"open orders {amount(summary.get('open_orders'))}",
    ]
    reason = str(summary.get("reason", "ended"))
    if is_asked and reason.startswith("stopped by "):
        reason = "stopped"  # by which signal is between console and engine
    ended = f"{summary.get('product', '')} {reason}".strip()
    return f"{ended}: {', '.join(parts)}; digest {summary.get('digest', _NOTHING)}"


def amount(value: Any, *, signed: bool = False, places: int | None = None, unit: str = "") -> str:
    """A decimal with thousands separated, maybe with its sign, rounded to `places`; `n/a` for none."""
    rounding = "" if places is None else f".{places}"
    try:
        number = format(Decimal(str(value)), f"{'+' if signed else ''},{rounding}f")
    except InvalidOperation:
        return _NOTHING if value is None else str(value)
    return f"{number} {unit}".rstrip()


def _microseconds(nanoseconds: Any) -> str:
    return f"{nanoseconds / 1000:,.0f} us" if isinstance(nanoseconds, int | float) else _NOTHING
