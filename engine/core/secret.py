"""Text that must not be seen: whatever prints, pickles or encodes it gets three asterisks."""

from __future__ import annotations

import ctypes
import hmac
from typing import Any, Final, Self

SHOWN: Final = "***"
_memset = ctypes.memset
_memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]


class Secret(str):
    """To everybody the text `***`; only `reveal` and `text` give what it holds.

    It is a text, so that `repr`, `str`, `format`, `json` and `pickle` need not be told: they see `***`.
    `msgspec` refuses to encode it, or sees `***` with `enc_hook=str`. Who calls `reveal` or `text` is listed
    in a test. Two are equal when what they hold is.
    """

    __slots__ = ("_held",)
    _held: bytearray

    def __new__(cls, value: str | bytes | bytearray) -> Self:
        """Hold `value`. A bytearray is taken over, not copied: whoever gives it keeps nothing of it."""
        made = super().__new__(cls, SHOWN)
        if isinstance(value, Secret):
            made._held = bytearray(value._held)
        elif isinstance(value, str):
            made._held = bytearray(value.encode("utf-8", "surrogatepass"))
        else:
            made._held = value if isinstance(value, bytearray) else bytearray(value)
        return made

    def reveal(self) -> bytearray:
        """The very bytes it holds, UTF-8 for text; none after `wipe`."""
        return self._held

    def text(self) -> str:
        """What it holds as text: a copy that cannot be wiped. Raises `ValueError` for what is no UTF-8."""
        return self._held.decode("utf-8")

    def wipe(self) -> None:
        """Overwrite what is held, and hold nothing. Best effort: copies that were made are not known."""
        wipe(self._held)
        self._held = bytearray()

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return len(self._held)

    def __repr__(self) -> str:
        return SHOWN

    def __bool__(self) -> bool:
        return bool(self._held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._held, other._held)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]  # nothing that must not be seen is a key of a mapping

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (SHOWN,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def wipe(data: bytearray) -> None:
    """Overwrite bytes where they are."""
    if data:
        _memset(ctypes.addressof(ctypes.c_char.from_buffer(data)), 0, len(data))
