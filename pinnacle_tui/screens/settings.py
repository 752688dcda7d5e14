"""The settings screen: every key of the configuration, live from the engine; the live ones can be changed."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from pinnacle_tui.bound_keys import key_of
from pinnacle_tui.screens.side import SideScreen
from pinnacle_tui.widgets.settings_table import Setting, SettingsPanel, bounds


class SettingsScreen(SideScreen):
    """The table of settings, and below it what the highlighted one means."""

    CSS_PATH = ["side.tcss", "settings.tcss"]  # noqa: RUF012
    HELP_TITLE = "Settings"
    HELP_TEXT = (
        "Enter changes the highlighted setting, after the change was shown and confirmed; the engine "
        "checks it together with all others and may refuse. Every change stands in the log and in the "
        "journal; your last "
        "one can be taken back for a minute.\n"
        "A fixed setting holds for the run: start again with --set, or write it into the configuration file."
    )

    def compose_body(self) -> ComposeResult:
        """The table and the meaning."""
        yield SettingsPanel(self.console.palette, id="settings")
        yield Static(id="meaning", markup=False)

    def on_mount(self) -> None:
        """Nothing is highlighted yet."""
        self._tell(None)

    def on_settings_panel_highlighted(self, event: SettingsPanel.Highlighted) -> None:
        """Tell what it means."""
        self._tell(event.setting)

    def on_settings_panel_chosen(self, event: SettingsPanel.Chosen) -> None:
        """Change it, where that is possible."""
        from pinnacle_tui.screens.setting_editor import SettingEditor

        app, setting = self.console, event.setting
        if app.is_playback:
            app.say("these are the settings of the past: nothing can be changed in it", "warning")
        elif not setting.is_live:
            app.say(_how_to_set(setting), "warning")
        elif not app.mirror.is_controller:
            take = key_of(app, "app.take_control")
            first = f": take control first ({take})" if take else ""
            app.say(f"this console only watches{first}", "warning")
        else:
            app.push_screen(SettingEditor(setting))

    def _tell(self, setting: Setting | None) -> None:
        self.query_one("#meaning", Static).update(self._meaning(setting))

    def _meaning(self, setting: Setting | None) -> Content:
        panel = self.query_one(SettingsPanel)
        enter = key_of(panel, "settings.edit", now=False) if self.console.can_steer else ""
        if setting is not None:
            return _described(setting, enter, is_past=self.console.is_playback)
        words = f"Arrows highlight a setting, {key_of(panel, 'settings.type', now=False)} filters"
        return Content.styled(
            f"{words}, {enter} changes the highlighted one." if enter else f"{words}.", "$muted"
        )


def _described(setting: Setting, enter: str, *, is_past: bool) -> Content:
    """A setting in words: what it is, what it may be, how it is changed: by the key `enter`, if any."""
    key = setting.key
    if key is None:
        return Content.styled(f"Section {setting.name}", "$muted")
    value = f"{bounds(setting)}; {setting.value} {'at this moment' if is_past else 'now'}"
    value += f", default {setting.default}" if setting.is_changed else ", the default"
    return Content("\n").join(
        [
            Content.styled(setting.name, "bold $title"),
            Content(key.meta.help),
            Content.styled(value, "$muted"),
            Content.styled("" if is_past else _how_to_change(setting, enter), "$muted"),
        ]
    )


def _how_to_change(setting: Setting, enter: str) -> str:
    if not setting.is_live:
        return _how_to_set(setting)
    return f"{enter} changes it while the engine runs" if enter else "it may change while the engine runs"


def _how_to_set(setting: Setting) -> str:
    return f"{setting.name} is fixed for this run: restart with --set {setting.name}=VALUE"
