"""What of Textual's insides this program relies on: an upgrade that changes it fails here, in words."""

from __future__ import annotations

import inspect
import queue

import pytest
import textual
from textual.app import App
from textual.driver import Driver
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver

ATTRIBUTES = [
    (App, "_driver", "app.py: the title of the window, and whether the terminal takes what is written"),
    (App, "_keymap", "bound_keys.py: the keys that a keymap file has moved"),
    (Driver, "_loop", "terminal.py: what a signal asks for is done on the loop"),
    (LinuxDriver, "_file", "terminal.py: a terminal that is gone takes everything"),
    (LinuxDriver, "_writer_thread", "terminal.py: how much waits for the terminal"),
    (LinuxDriver, "_must_signal_resume", "terminal.py: coming back from SIGSTOP"),
    (WriterThread, "_queue", "terminal.py: how much waits for the terminal"),
]
METHODS = [
    (App, "_handle_exception", ["self", "error"], "themed_app.py: a screen that fails is started anew"),
    (App, "_fatal_error", ["self"], "themed_app.py: no traceback over the terminal"),
    (App, "_close_messages_no_wait", ["self"], "app.py: the end of a screen that has failed"),
    (LinuxDriver, "_sigtstp_application", ["self", "_"], "terminal.py: control and z"),
    (LinuxDriver, "_sigcont_application", ["self", "_"], "terminal.py: coming back"),
]


def gone(owner: type, name: str, why: str) -> str:
    return (
        f"Textual {textual.__version__} has no {owner.__name__}.{name} as this program knows it. "
        f"It is needed for {why}"
    )


@pytest.mark.parametrize(("owner", "name", "why"), ATTRIBUTES, ids=str)
def test_an_attribute_is_still_there(owner: type, name: str, why: str) -> None:
    assert f"self.{name}" in inspect.getsource(owner.__init__), gone(owner, name, why)


@pytest.mark.parametrize(("owner", "name", "takes", "why"), METHODS, ids=str)
def test_a_method_is_still_there(owner: type, name: str, takes: list[str], why: str) -> None:
    method = getattr(owner, name, None)
    assert method is not None, gone(owner, name, why)
    assert list(inspect.signature(method).parameters) == takes, gone(owner, name, why)


def test_what_waits_for_the_terminal_is_a_queue_that_can_be_full() -> None:
    waiting = WriterThread(None)._queue  # type: ignore[arg-type]
    assert isinstance(waiting, queue.Queue)
    assert waiting.maxsize > 3, gone(WriterThread, "_queue", "terminal.py: a bounded queue")
