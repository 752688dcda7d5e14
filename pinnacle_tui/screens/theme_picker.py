"""Choosing the colours by seeing them."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.core.foreign_text import visible
from pinnacle_tui.bound_keys import key_of
from pinnacle_tui.screens.base import Dialog
from pinnacle_tui.widgets.rows import left


class ThemePicker(Dialog):
    """The themes. Each is put on as it is highlighted; enter keeps it, escape restores the one before."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "restore",
            "restore",
            key_display="esc",
            tooltip="The colours of before",
            id="theme.restore",
        )
    ]

    def __init__(self) -> None:
        super().__init__()
        self._before = ""

    def compose(self) -> ComposeResult:
        """Names and descriptions."""
        app = self.console
        width = max(map(len, app.themes.themes), default=0) + 3
        with Vertical(id="dialog"):
            yield Static("Colours", classes="title", markup=False)
            yield OptionList(
                *(
                    Option(
                        Content.assemble(
                            left(visible(name), width),
                            (visible(app.themes.descriptions.get(name, "")), "$muted"),
                        ),
                        id=name,
                    )
                    for name in app.themes.themes
                )
            )
            back = f"enter keeps it, {key_of(self, 'theme.restore')} restores the one before"
            yield Static(back, classes="words muted", markup=False)

    def on_mount(self) -> None:
        """Start at the theme that is on."""
        app, options = self.console, self.query_one(OptionList)
        self._before = app.theme
        if app.theme in app.themes.themes:
            options.highlighted = list(app.themes.themes).index(app.theme)
        options.focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """See it."""
        name = event.option_id
        if name is not None and name != self.console.theme and name in self.console.themes.themes:
            self.console.use_theme(name)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Keep it."""
        event.stop()
        self.dismiss(event.option_id)

    def action_restore(self) -> None:
        """The colours of before."""
        if self._before in self.console.themes.themes:
            self.console.use_theme(self._before)
        self.dismiss(None)
