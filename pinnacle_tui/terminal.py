"""The terminal as something that may stop reading, be taken away for a moment, or be gone.

Textual hands its output to a thread through a queue of thirty entries and blocks when that is full. A
frozen terminal (a hung ssh, a stopped emulator) would stop the whole console, so a frame is left out
while the writing thread is behind: the link stays alive, and what is drawn afterwards is the present.
"""

from __future__ import annotations

from typing import IO, Any, Final, cast

from textual.drivers.linux_driver import LinuxDriver

from pinnacle_tui.life import is_hung_up

_BEHIND: Final = 3
"""Writes that wait; a frame is one or two."""


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
    """Textual's driver, asked how far its writing thread is behind and whether the terminal is still there."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._sink = _Sink(self._file)
        self._file = cast("IO[str]", self._sink)

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
