"""Which files and sockets this process holds open, to see that none is left behind."""

from __future__ import annotations

import gc
import os


def open_descriptors() -> set[str]:
    """What this process holds open, sockets and files, by what they lead to."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:  # the one that listed the folder
            continue
    return found


def left_open(before: set[str]) -> set[str]:
    """What is open and was not then. Collecting garbage is dear, so only a suspicion is worth it."""
    if open_descriptors() - before:
        gc.collect()
    return open_descriptors() - before
