"""The terminal as a reader who may stop reading: then nothing is drawn until it has caught up.

Textual hands its output to a thread through a queue of thirty entries and blocks when that is full; a
frozen terminal (a hung ssh, a stopped emulator) would stop the whole console. So a frame is left out
while the writing thread is behind: the link stays alive, and what is drawn afterwards is the present.
"""

from __future__ import annotations

from typing import Final

from textual.drivers.linux_driver import LinuxDriver

_BEHIND: Final = 3
"""Writes that wait; a frame is one or two."""


class ConsoleDriver(LinuxDriver):
    """Textual's driver, asked how far its writing thread is behind."""

    @property
    def is_behind(self) -> bool:
        """True while the terminal does not take what was written."""
        thread = self._writer_thread
        return thread is not None and thread._queue.qsize() >= _BEHIND

    @property
    def is_gone(self) -> bool:
        """True when writing has failed: nobody can see anything any more."""
        thread = self._writer_thread
        return thread is not None and thread.ident is not None and not thread.is_alive()

    def write(self, data: str) -> None:
        """See `Driver`. A writing thread that has ended takes nothing: its queue would block for ever."""
        if not self.is_gone:
            super().write(data)
