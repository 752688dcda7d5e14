"""A field for what must not be seen: it draws dots, and gives what it holds as a `Secret`."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from engine.core.secret import Secret, wipe

MOST_BYTES: Final = 64 << 10
_MOST_DOTS: Final = 12
"""How long a password is tells something of it."""
_BEFORE: Final = b" \t\r\n\xef\xbb\xbf"
"""What may stand before a key file."""
_BEGIN: Final = b"-----BEGIN"
_END: Final = b"-----END"
_DASHES: Final = b"-----"


class SecretInput(Widget, can_focus=True):
    """Typed or pasted, never shown, copied or kept: no selection, no clipboard, no suggestions.

    `is_document` is for keys: lines are part of the text while a PEM block or a JSON object has begun and
    not ended, so that a paste of several lines arrives whole, whether the terminal marks pastes or not; and
    how many characters there are is told. Of a password neither is.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    SecretInput {
        height: 1;
        width: 1fr;
        margin-top: 1;
        padding: 0 1;
        background: $background;
    }
    SecretInput:disabled {
        color: $muted;
    }
    """

    class Changed(Message):
        """What is held is another text."""

        def __init__(self, field: SecretInput) -> None:
            super().__init__()
            self.field = field

        @property
        def control(self) -> SecretInput:
            """The field."""
            return self.field

    class Submitted(Changed):
        """Enter was pressed, and was no part of the text."""

    class Refused(Changed):
        """What was typed or pasted does not belong here; nothing of it was taken."""

        def __init__(self, field: SecretInput, why: str) -> None:
            super().__init__(field)
            self.why = why

    def __init__(self, *, is_document: bool = False, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._is_document = is_document
        self._placeholder = placeholder
        self._held = bytearray()

    def render(self) -> RenderResult:
        """Dots; of a document also how much there is."""
        cursor = ("▏", "$accent") if self.has_focus else ""
        if not self._held:
            return Content.assemble(cursor, (self._placeholder, "$muted"))
        dots = "•" * min(_MOST_DOTS, self.characters)
        told = f"  {self.characters:,} characters" if self._is_document else ""
        return Content.assemble(dots, cursor, (told, "$muted"))

    @property
    def size_bytes(self) -> int:
        """How much is held."""
        return len(self._held)

    @property
    def characters(self) -> int:
        """How many characters are held."""
        return sum(byte & 0xC0 != 0x80 for byte in self._held)

    @property
    def is_json(self) -> bool:
        """True for what looks like a whole key file."""
        return next((byte for byte in self._held if byte not in _BEFORE), None) == ord("{")

    @property
    def is_unfinished(self) -> bool:
        """True while a PEM block or a JSON object has begun and not ended: enter is part of it then."""
        held = self._held
        if self.is_json:
            return held.count(b"{") > held.count(b"}")
        if _BEGIN not in held:
            return False
        end = held.rfind(_END)
        return end < 0 or held.find(_DASHES, end + len(_END)) < 0

    def copy(self) -> Secret:
        """What is held, once more; whoever asks wipes it."""
        return Secret(bytearray(self._held))

    def take(self) -> Secret:
        """What is held; the field is empty then."""
        taken, self._held = Secret(self._held), bytearray()
        self.refresh()
        return taken

    def clear(self) -> None:
        """Wipe what is held."""
        self._keep(0)

    def fill(self, secret: Secret) -> None:
        """Hold a copy of this in place of what is held."""
        self._keep(0, secret.reveal())

    # -- keys --------------------------------------------------------------------------------------

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """See `Widget`: letters are text here, and no commands."""
        return character is not None and character.isprintable()

    async def on_key(self, event: events.Key) -> None:
        """Text, the few keys that change it, and enter."""
        # A terminal that does not mark pastes sends the end of a line as either of these.
        if event.key in ("enter", "ctrl+j"):
            if self._is_document and self.is_unfinished:
                self._insert("\n")
            else:
                self.post_message(self.Submitted(self))
        elif event.key == "backspace":
            self._keep(_beginning_of_last(self._held))
        elif event.key == "ctrl+u":
            self.clear()
        elif event.key == "ctrl+w":
            self._keep(_beginning_of_last_word(self._held))
        elif event.character is not None and event.is_printable:
            self._insert(event.character)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """All of it where it is a document; a password is one line."""
        event.stop()
        event.prevent_default()
        text = event.text.replace("\r\n", "\n").replace("\r", "\n")
        if self._is_document:
            self._insert(text)
        elif "\n" in (line := text.rstrip("\n")):
            self.post_message(self.Refused(self, "several lines were pasted, and a password is one"))
        else:
            self._insert(line)

    def on_click(self) -> None:
        """The keyboard comes here."""
        self.focus()

    def on_focus(self) -> None:
        """The cursor appears."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor goes."""
        self.refresh()

    def on_unmount(self) -> None:
        """Whatever was not taken is wiped."""
        wipe(self._held)
        self._held = bytearray()

    def _insert(self, text: str) -> None:
        try:
            added = text.encode()
        except UnicodeEncodeError:
            self.post_message(self.Refused(self, "what was pasted is no text (UTF-8); copy it again"))
            return
        if len(self._held) + len(added) > MOST_BYTES:
            why = f"more than {MOST_BYTES >> 10} KiB were pasted, and no key is that long; copy the key alone"
            self.post_message(self.Refused(self, why))
            return
        self._keep(len(self._held), added)

    def _keep(self, size: int, added: bytes | bytearray = b"") -> None:
        """Hold the first `size` bytes of what is held and what is added; no other copy is left behind."""
        old, new = self._held, bytearray(size + len(added))
        with memoryview(old) as source, memoryview(new) as target:
            target[:size] = source[:size]
            target[size:] = added
        self._held = new
        wipe(old)
        self.refresh()
        self.post_message(self.Changed(self))


def _beginning_of_last(held: bytearray) -> int:
    """Where the last character of UTF-8 begins; 0 where there is none."""
    at = len(held) - 1
    while at > 0 and held[at] & 0xC0 == 0x80:
        at -= 1
    return max(0, at)


def _beginning_of_last_word(held: bytearray) -> int:
    """Where the last word begins, behind the blank before it."""
    at = len(held)
    while at > 0 and held[at - 1] in b" \t\n":
        at -= 1
    while at > 0 and held[at - 1] not in b" \t\n":
        at -= 1
    return at
