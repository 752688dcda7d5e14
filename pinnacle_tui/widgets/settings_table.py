"""Every setting of the engine as a table: what it is now, what it may be, whether it may change now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message

from engine.config import schema
from engine.config_schema import Key, value_text
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.table import Table, TablePanel, remembered_sorts, table_bindings
from pinnacle_tui.widgets.table_layout import Column


@dataclass(frozen=True, slots=True)
class Setting:
    """A key with its value in the engine; or, where `key` is None, the heading of a section."""

    place: int
    """In the schema's order."""
    name: str
    key: Key | None
    value: str = ""
    default: str = ""

    @property
    def is_changed(self) -> bool:
        """True when somebody has set it to something else than the default."""
        return self.value != self.default

    @property
    def is_live(self) -> bool:
        """True when it may change while the engine runs."""
        return self.key is not None and self.key.meta.live


def known_settings(values: Mapping[str, str], mode: str) -> list[Setting]:
    """Every key that the engine knows and this console too, with headings, in the schema's order."""
    made: list[Setting] = []
    section = ""
    for key in schema().keys.values():
        value = values.get(key.name)
        if value is None:
            continue
        if key.section != section:
            section = key.section
            made.append(Setting(len(made), section, None))
        made.append(Setting(len(made), key.name, key, value, value_text(key.default_for(mode))))
    return made


def bounds(setting: Setting) -> str:
    """What a value may be, in words: `number in bp, > 0`."""
    key = setting.key
    if key is None:
        return ""
    kind = f"{key.type_text} in {key.meta.unit}" if key.meta.unit else key.type_text
    return f"{kind}, {key.bounds_text}" if key.bounds_text else kind


def _unit(setting: Setting, scene: Scene) -> str:
    return setting.key.meta.unit if setting.key is not None else ""


def _kind(setting: Setting) -> str:
    key = setting.key
    return "" if key is None else ", ".join(part for part in (key.type_text, key.bounds_text) if part)


_COLUMNS: Final[tuple[Column[Setting], ...]] = (
    Column(
        "setting",
        "setting",
        lambda setting, _: setting.name,
        lambda setting, _: setting.place,
        style=lambda setting, _: "text" if setting.is_live else "muted",
    ),
    Column(
        "value",
        "now",
        lambda setting, _: setting.value,
        lambda setting, _: setting.value,
        style=lambda setting, _: "accent bold" if setting.is_changed else "text",
        is_number=True,
    ),
    Column("unit", "unit", _unit, _unit, style="muted", rank=4, least=8),
    Column(
        "default",
        "default",
        lambda setting, _: setting.default if setting.is_changed else "",
        lambda setting, _: (not setting.is_changed, setting.place),
        exact=lambda setting, _: setting.default,
        style="muted",
        rank=1,
        is_number=True,
    ),
    Column(
        "live",
        "change",
        lambda setting, _: "live" if setting.is_live else "fixed",
        lambda setting, _: (not setting.is_live, setting.place),
        style=lambda setting, _: "ok" if setting.is_live else "muted",
        rank=2,
    ),
    Column(
        "bounds",
        "may be",
        lambda setting, _: _kind(setting),
        lambda setting, _: _kind(setting),
        style="muted",
        rank=3,
        least=12,
    ),
)
TABLE: Final = Table(
    name="settings",
    noun="setting",
    columns=_COLUMNS,
    sort="setting",
    is_falling=False,
    key=lambda setting: setting.name,
    empty="the engine has not told its settings yet",
)


class SettingsPanel(TablePanel[Setting]):
    """The table. Which one is highlighted, and that one is to be changed, is told by messages."""

    TITLE = "SETTINGS"
    HELP: ClassVar[str] = (
        "Every setting with the value that the engine has now. In colour: somebody set it to something "
        "else than the default, which stands beside it. Live ones change while the engine runs; fixed "
        "ones hold for the whole run."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *table_bindings("settings", "setting"),
        Binding("enter", "edit", "change", tooltip="Change the highlighted setting", id="settings.edit"),
    ]

    class Highlighted(Message):
        """Another setting, or none, is highlighted, or its value has changed."""

        def __init__(self, setting: Setting | None) -> None:
            super().__init__()
            self.setting = setting

    class Chosen(Message):
        """A person wants to change a setting."""

        def __init__(self, setting: Setting) -> None:
            super().__init__()
            self.setting = setting

    def __init__(self, palette: Palette, *, id: str, number: int | None = None) -> None:
        """See `Panel`."""
        super().__init__(palette, id=id, number=number)
        self._known: tuple[str, dict[str, str]] = ("", {})
        self._settings: list[Setting] = []
        self._told: Setting | None = None

    @property
    def table(self) -> Table[Setting]:
        """See `TablePanel`."""
        return TABLE

    def source(self, scene: Scene) -> Sequence[Setting]:
        """See `TablePanel`."""
        hello, values = scene.mirror.hello, scene.mirror.settings
        mode = hello.mode if hello is not None else ""
        if self._known != (mode, values):
            self._known = (mode, dict(values))
            self._settings = known_settings(values, mode)
        return self._settings

    def divider(self, item: Setting) -> str:
        """See `TablePanel`: a section's heading."""
        return item.name.upper() if item.key is None else ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a setting can be changed, and not while text is typed."""
        if action == "edit":
            item = self.selected_item
            return not self.entry.is_open and item is not None and item.key is not None
        return super().check_action(action, parameters)

    def action_keep_text(self) -> None:
        """Whoever filtered for a setting wants it: the first one found is highlighted."""
        super().action_keep_text()
        found = next((at for at, item in enumerate(self._items) if item.key is not None), None)
        if self.selected_item is None and found is not None:
            self._by_user(lambda: self.window.select(found))

    def action_edit(self) -> None:
        """Change the highlighted setting."""
        item = self.selected_item
        if item is not None and item.key is not None:
            self.opened(item)

    def opened(self, item: Setting) -> None:
        """See `ListPanel`."""
        if item.key is not None:
            self.post_message(self.Chosen(item))

    def restore(self, state: dict[str, object]) -> None:
        """See `Panel`."""
        self._sorts.update(remembered_sorts(state.get("sort"), [TABLE]))

    def _draw(self) -> None:
        super()._draw()
        item = self.selected_item
        if item != self._told:
            self._told = item
            self.post_message(self.Highlighted(item))
