"""The two checksums a journal may carry, each as (data, running value) -> value."""

from __future__ import annotations

from typing import Final
from zlib import crc32 as zlib_crc

__all__ = ["crc32c", "zlib_crc"]

_POLYNOMIAL: Final = 0x82F63B78


def _table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE: Final = _table()


def crc32c(data: bytes | bytearray | memoryview, value: int = 0, /) -> int:
    """CRC-32C (Castagnoli), table driven: to read what others wrote, not to write fast."""
    crc = value ^ 0xFFFFFFFF
    for byte in bytes(data):
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
