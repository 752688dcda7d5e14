"""The bytes of a journal, format v1: segment header, record frame, check values.

Integers are little endian. A record is 32 bytes of frame and its payload, padded with zeros to a multiple
of 8; its first 8 bytes, length and crc, are the commit word: 0 means not written.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Final

from engine.persistence.checksums import crc32c, zlib_crc
from engine.persistence.errors import DamageError

MAGIC: Final = b"PNCLJNL1"
MAJOR: Final = 1
MINOR: Final = 0
PAGE: Final = 4096
HEADER_BYTES: Final = PAGE
"""The header's page; the first record stands behind it."""
FRAME_BYTES: Final = 32
SEAL_BYTES: Final = 40
DEFAULT_SEGMENT: Final = 16 << 20
LEAST_SEGMENT: Final = 64 << 10
MOST_PAYLOAD: Final = 1 << 20

CRC32C: Final = 1
ZLIB: Final = 2
CHECKSUMS: Final = {CRC32C: crc32c, ZLIB: zlib_crc}
"""By kind: (data, running value) -> value."""

COMMIT: Final = 1
"""Record flag: the last record of a batch, which is there whole or not at all."""
MORE: Final = 2
"""Record flag: the payload goes on in the next record of the batch, of the same type."""

BY_PWRITE: Final = 1
"""Segment flag: written with pwrite."""
WHOLE: Final = 2
"""Segment flag: written whole and never appended to (archive, repair, a clean end)."""
THINNED: Final = 4
"""Segment flag: market data was left out, sequence numbers have gaps; never for recovery."""

FRAME: Final = struct.Struct("<IIQQHHI")
"""length, crc, seq, ts_ns, type, flags, lag."""
SKIPPABLE: Final = 0x80
"""Bit of a type that an older reader may skip."""

_HEADER: Final = struct.Struct("<8sHHIQQQQ16sQQIII")
_CRC_AT: Final = 92
_LENGTH: Final = struct.Struct("<I")


class RecordType(enum.IntEnum):
    """What a record is about."""

    ORDER_INTENT = 1
    ORDER_ACK = 2
    ORDER_REJECT = 3
    CANCEL_INTENT = 4
    CANCEL_ACK = 5
    FILL = 6
    RISK_EVENT = 7
    CONFIG_CHANGE = 8
    SESSION = 9
    RECONCILE = 10
    MD_CHECKPOINT = 11
    SNAPSHOT_REF = 12
    RECOVERED = 13
    MARKET_EVENT = 14
    TIMER_EVENT = 15
    STATE_DIGEST = 0x0081
    EXPLANATION = 0x0082
    SEAL = 0xFFFE


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """Page 0 of a segment."""

    size: int
    index: int
    first_seq: int
    created_ns: int
    uuid: bytes
    salt: int
    previous_salt: int = 0
    previous_crc: int = 0
    """Of the SEAL before this segment; 0 in the first."""
    crc_kind: int = ZLIB
    flags: int = 0
    minor: int = MINOR

    def pack(self) -> bytes:
        """The whole page."""
        fields = _HEADER.pack(
            MAGIC,
            MAJOR,
            self.minor,
            HEADER_BYTES,
            self.size,
            self.index,
            self.first_seq,
            self.created_ns,
            self.uuid,
            self.salt,
            self.previous_salt,
            self.previous_crc,
            self.crc_kind,
            self.flags,
        )
        crc = CHECKSUMS[self.crc_kind](fields, 0)
        return (fields + _LENGTH.pack(crc)).ljust(HEADER_BYTES, b"\0")

    @classmethod
    def unpack(cls, page: bytes, name: str) -> SegmentHeader:
        """The header on a page. `DamageError` when it is none, or another version's; `name` is the file's."""
        if len(page) < HEADER_BYTES or page[:8] != MAGIC:
            raise DamageError(f"{name} is no journal segment; nothing was changed")
        (_, major, minor, length, size, index, first, created, uuid, salt, before, seal, kind, flags) = (
            _HEADER.unpack_from(page)
        )
        if major != MAJOR:
            raise DamageError(
                f"{name} has format {major}.{minor}: written by a newer version; use that version. "
                "Nothing was changed"
            )
        (crc,) = _LENGTH.unpack_from(page, _CRC_AT)
        if kind not in CHECKSUMS or CHECKSUMS[kind](page[:_CRC_AT], 0) != crc or length != HEADER_BYTES:
            raise DamageError(
                f"{name}: the header at offset 0 does not match its checksum. Nothing was changed"
            )
        return cls(size, index, first, created, uuid, salt, before, seal, kind, flags, minor)


def padded(length: int) -> int:
    """Bytes of a record with a payload of `length`."""
    return (FRAME_BYTES + length + 7) & ~7


def record_bytes(
    salt: int, crc_kind: int, seq: int, ts_ns: int, kind: int, flags: int, lag: int, payload: bytes
) -> bytes:
    """One whole record, for whoever does not write in place. The crc starts from the salt's low 32 bits."""
    length = len(payload)
    body = FRAME.pack(length, 0, seq, ts_ns, kind, flags, lag)[8:] + payload
    checksum = CHECKSUMS[crc_kind]
    crc = checksum(body, checksum(_LENGTH.pack(length), salt & 0xFFFFFFFF))
    return (FRAME.pack(length, crc, seq, ts_ns, kind, flags, lag) + payload).ljust(padded(length), b"\0")
