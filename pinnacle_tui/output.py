"""Output that nobody takes any more."""

from __future__ import annotations

import io
import os
import select
import time
from typing import TextIO


def abandon(*streams: TextIO) -> None:
    """Point streams nowhere: what their buffers hold would fail once more at exit, and change its code."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def pause(stream: TextIO, seconds: float) -> None:
    """Wait; `BrokenPipeError` as soon as whoever reads `stream` is gone."""
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:
        time.sleep(seconds)
        return
    poll = select.poll()
    poll.register(descriptor, 0)  # errors are told of unasked
    if poll.poll(seconds * 1_000):
        raise BrokenPipeError
