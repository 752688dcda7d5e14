"""The terminal as something that may stop reading, be taken away for a moment, or be gone.

Textual hands its output to a thread through a queue of thirty entries and blocks when that is full. A
frozen terminal (a hung ssh, a stopped emulator) would stop the whole console, the kill switch with it. So a
frame is left out while the writing thread is behind, and what else would block is not written at all: the
link and the keys stay alive, and what is drawn afterwards is the present.
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, Full
from typing import IO, Any, Final, cast

from textual.drivers.linux_driver import LinuxDriver

from pinnacle_tui.life import is_hung_up

_BEHIND: Final = 3
"""Writes that wait; a frame is one or two."""
_KEEP_TITLE: Final = "\x1b[22;2t"
_RESTORE_TITLE: Final = "\x1b[23;2t"
"""Terminals that can keep the title of their window take it back at the end; others ignore both."""


class _Sink:
    """The terminal for the writing thread. Once it is gone it takes everything: a thread that ended over it
    would leave whoever writes, or wants to stop the thread, waiting for ever.
    """

    def __init__(self, file: IO[str]) -> None:
        self.is_gone = False
        self._file = file

    def write(self, text: str) -> None:
        """Write, as long as somebody is there."""
        self._try(self._file.write, text)

    def flush(self) -> None:
        """Flush, as long as somebody is there."""
        self._try(self._file.flush)

    def fileno(self) -> int:
        """The terminal's descriptor."""
        return self._file.fileno()

    def _try(self, deed: Any, *given: str) -> None:
        if not self.is_gone:
            try:
                deed(*given)
            except OSError:
                self.is_gone = True


class ConsoleDriver(LinuxDriver):
    """Textual's driver, which never waits for the terminal while there is a screen on it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._sink = _Sink(cast("IO[str]", self._file))
        self._file = cast("Any", self._sink)
        self.has_missed = False
        """True when something was not written: everything has to be drawn anew."""
        self._must_write = True
        self._title = ""

    def write(self, data: str) -> None:
        """Write, without ever waiting for the terminal while there is a screen on it."""
        thread = self._writer_thread
        if self._must_write or thread is None:
            super().write(data)
            return
        try:
            thread._queue.put_nowait(data)
        except Full:
            self.has_missed = True
            self._title = ""

    def start_application_mode(self) -> None:
        """See `Driver`."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.write(_KEEP_TITLE)
        self._title = ""
        self._must_write = False

    def stop_application_mode(self) -> None:
        """See `Driver`. What restores the terminal is never left out; old pictures make room for it."""
        self._must_write = True
        thread = self._writer_thread
        while thread is not None and self.is_behind:
            with suppress(Empty):
                thread._queue.get_nowait()
        if thread is not None:
            self.write(_RESTORE_TITLE)
        super().stop_application_mode()

    def tell_title(self, title: str) -> None:
        """Call the window so. Written where it is another title, or the last one may have been lost."""
        if title != self._title:
            self._title = title
            self.write(f"\x1b]0;{title}\x07")

    @property
    def is_behind(self) -> bool:
        """True while the terminal does not take what was written."""
        thread = self._writer_thread
        return thread is not None and thread._queue.qsize() >= _BEHIND

    @property
    def is_gone(self) -> bool:
        """True when nobody can see anything any more."""
        return self._sink.is_gone or is_hung_up(self.fileno)

    # A signal may come while the queue of the writing thread is locked: the loop does what has to be done.

    def _sigtstp_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(super()._sigtstp_application)

    def _sigcont_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._come_back)

    def _come_back(self) -> None:
        """The process goes on; hanging up ends in the same signal."""
        if self.is_gone:
            return
        if not self._must_signal_resume:
            # Stopped by SIGSTOP: nothing was taken down. To put it up once more would add a second thread
            # that reads the keys, and take the terminal as it is now for what is to be restored at the end.
            self.suspend_application_mode()
            self._must_signal_resume = True
        self.resume_application_mode()
