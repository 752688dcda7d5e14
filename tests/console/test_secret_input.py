"""The field for secrets: what it takes, what it shows, and that nothing of it is anywhere else."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from textual.app import App, ComposeResult
from textual.events import Key, Paste
from textual.pilot import Pilot

from engine.core.secret import Secret
from pinnacle_tui.themes import default_variables
from pinnacle_tui.widgets.secret_input import MOST_BYTES, SecretInput

PEM = "-----BEGIN K-----\nMHc+s8\n-----END K-----"
JSON = '{\n"name": "n"\n}'


class FieldApp(App[None]):
    """One field, and keys of the app that must not hear what is typed."""

    BINDINGS = [("k", "count"), ("K", "count"), ("space", "count"), ("q", "count"), ("enter", "count")]

    def __init__(self, *, is_document: bool = False) -> None:
        super().__init__()
        self.field = SecretInput(is_document=is_document, placeholder="paste it here")
        self.counted = 0
        self.submitted = 0
        self.refused: list[str] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return default_variables()

    def compose(self) -> ComposeResult:
        yield self.field

    def on_mount(self) -> None:
        self.field.focus()

    def action_count(self) -> None:
        self.counted += 1

    def on_secret_input_submitted(self) -> None:
        self.submitted += 1

    def on_secret_input_refused(self, event: SecretInput.Refused) -> None:
        self.refused.append(event.why)

    @property
    def text(self) -> str:
        return self.field.copy().text()

    @property
    def shown(self) -> str:
        return str(self.field.render())


async def paste(pilot: Pilot[Any], text: str) -> None:
    pilot.app.screen.focused.post_message(Paste(text))  # type: ignore[union-attr]
    await pilot.pause()


async def test_letters_are_text_and_no_commands():
    app = FieldApp()
    async with app.run_test() as pilot:
        await pilot.press("K", "k", "space", "q", "ü", "語")
        assert app.text == "Kk qü語"
        assert app.counted == 0
        assert app.field.check_consume_key("K", "K")
        assert not app.field.check_consume_key("f9", None)


@pytest.mark.parametrize(
    ("key", "left"),
    [
        ("backspace", "über al"),
        ("ctrl+w", "über "),
        ("ctrl+u", ""),
        ("left", "über alü"),
        ("ctrl+a", "über alü"),
    ],
)
async def test_keys_that_change_the_text(key: str, left: str):
    app = FieldApp()
    async with app.run_test() as pilot:
        await paste(pilot, "über alü")
        await pilot.press(key)
        assert app.text == left


async def test_what_is_not_there_cannot_be_deleted():
    app = FieldApp()
    async with app.run_test() as pilot:
        await pilot.press("backspace", "ctrl+w", "ctrl+u")
        assert app.text == ""
        assert app.shown == "▏paste it here"


async def test_of_a_password_neither_letters_nor_length_are_shown():
    app = FieldApp()
    async with app.run_test() as pilot:
        await pilot.press("a", "b", "c")
        assert app.shown == "•••▏"
        await paste(pilot, "x" * 50)
        assert app.shown == "•" * 12 + "▏"


async def test_of_a_document_the_length_is_shown():
    app = FieldApp(is_document=True)
    async with app.run_test() as pilot:
        await paste(pilot, PEM)
        assert app.shown == "•" * 12 + f"▏  {len(PEM)} characters"


@pytest.mark.parametrize("text", [PEM, JSON, "base64=="], ids=["pem", "json", "one line"])
async def test_a_document_arrives_whole_whether_or_not_the_terminal_marks_pastes(text: str):
    marked, unmarked = FieldApp(is_document=True), FieldApp(is_document=True)
    async with marked.run_test() as pilot:
        await paste(pilot, text.replace("\n", "\r\n"))
        assert (marked.text, marked.submitted) == (text, 0)
    async with unmarked.run_test() as pilot:
        for letter in text:
            unmarked.field.post_message(Key("enter", "\r") if letter == "\n" else Key(letter, letter))
        await pilot.pause()
        assert (unmarked.text, unmarked.submitted) == (text, 0)
        await pilot.press("enter")
        assert (unmarked.text, unmarked.submitted) == (text, 1)


async def test_a_line_feed_is_a_line_too():
    app = FieldApp(is_document=True)
    async with app.run_test() as pilot:
        await paste(pilot, "-----BEGIN X-----")
        await pilot.press("ctrl+j", "a")
        assert app.text == "-----BEGIN X-----\na"
        assert app.field.is_unfinished


async def test_of_a_password_the_last_line_feed_is_left_out_and_several_lines_are_refused():
    app = FieldApp()
    async with app.run_test() as pilot:
        await paste(pilot, "tidal quartz\r\n")
        assert app.text == "tidal quartz"
        await paste(pilot, "one\ntwo")
        assert app.text == "tidal quartz"
        assert app.refused == ["several lines were pasted, and a password is one"]


async def test_what_is_too_long_or_no_text_is_refused_whole():
    app = FieldApp(is_document=True)
    async with app.run_test() as pilot:
        await paste(pilot, "x" * MOST_BYTES)
        assert app.field.size_bytes == MOST_BYTES
        await paste(pilot, "y")
        assert "64 KiB" in app.refused[0]
        await pilot.press("ctrl+u")
        await paste(pilot, "a\ud800b")
        assert "no text" in app.refused[1]
        assert app.text == ""


async def test_what_is_taken_is_gone_from_the_field_and_what_is_replaced_is_wiped():
    app = FieldApp()
    async with app.run_test() as pilot:
        await paste(pilot, "tidal")
        before = app.field._held
        await pilot.press("a")
        assert not any(before)
        taken = app.field.take()
        assert taken.text() == "tidala"
        assert app.field.size_bytes == 0
        secret = Secret("quartz")
        app.field.fill(secret)
        assert (app.text, secret.text()) == ("quartz", "quartz")
        app.field.clear()
        assert app.text == ""


async def test_what_was_not_taken_is_wiped_with_the_field():
    app = FieldApp()
    async with app.run_test() as pilot:
        await paste(pilot, "tidal")
        held = app.field._held
        await app.field.remove()
        assert len(held) == 5
        assert not any(held)


@pytest.mark.parametrize("is_document", [False, True])
async def test_what_is_held_is_in_no_picture_tree_or_clipboard(is_document: bool):
    app = FieldApp(is_document=is_document)
    async with app.run_test() as pilot:
        await pilot.press(*"zanzibar")
        await paste(pilot, "canary")
        await pilot.press("ctrl+a", "shift+left", "ctrl+c", "ctrl+x", "ctrl+v")
        await pilot.click(SecretInput, times=3)
        told = io.StringIO()
        printer = Console(file=told, width=200)
        printer.print(app.tree, app.screen.css_tree, repr(app.field), app.field.__rich_repr__())
        seen = f"{told.getvalue()}{app.export_screenshot()}{app.clipboard}{app.screen.get_selected_text()}"
        assert "SecretInput" in seen
        assert "canary" not in seen
        assert "zanzi" not in seen
