"""Which rows of a list are seen and which one is selected, while the list changes under the reader."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


class ListWindow:
    """A window of `height` rows on a list of keys, and a selected key.

    Rows are known by key, never by index: whoever reads row 40 still reads it when ten rows have come
    before it. Only a window at the end where news arrive (`follows_end`: the last row, else the first)
    moves on with them.
    """

    def __init__(self, *, follows_end: bool = False) -> None:
        self.follows_end = follows_end
        self.is_following = True
        """True while the window moves on with the news."""
        self.top = 0
        self.height = 0
        self.selected: Hashable | None = None
        self._keys: Sequence[Hashable] = ()
        self._index: int | None = None

    @property
    def count(self) -> int:
        """Rows of the whole list."""
        return len(self._keys)

    @property
    def bottom(self) -> int:
        """One behind the last row seen."""
        return min(self.top + self.height, self.count)

    @property
    def is_whole(self) -> bool:
        """True when all rows are seen."""
        return self.count <= self.height

    @property
    def index(self) -> int | None:
        """Where the selected row stands in the list."""
        return self._index

    def fit(self, keys: Sequence[Hashable], height: int) -> None:
        """Another list or height: what is seen stays where it is. A selected key that is gone is none."""
        if keys is self._keys and height == self.height:
            return
        was_seen = self._index is not None and self.top <= self._index < self.bottom
        anchor = self._keys[self.top] if self.top < self.count else None
        self._keys, self.height = keys, height
        self._index = _index(keys, self.selected)
        if self._index is None:
            self.selected = None
        if not self.is_following:
            place = _index(keys, anchor)
            self.top = self.top if place is None else place
        self._clamp()
        if was_seen:
            self._reveal()
        if self.is_whole or not self.follows_end:
            self._follow_at_news()

    def move(self, by: int) -> None:
        """Select another row; without a selection the first or last one that is seen."""
        if not self.count:
            return
        if self._index is not None:
            self.select(max(0, min(self.count - 1, self._index + by)))
        elif by < 0:
            self.select(self.bottom - 1)
        elif not (self.follows_end and self.is_following):
            self.select(self.top)

    def page(self, pages: int) -> None:
        """Move by a window less one row; without a selection only the window moves."""
        rows = pages * max(1, self.height - 1)
        if self._index is not None:
            self.move(rows)
        else:
            self.scroll(rows)

    def scroll(self, by: int) -> None:
        """Move the window; the selection stays with its row."""
        limit = max(0, self.count - self.height)
        self.top = max(0, min(limit, self.top + by))
        self._follow_at_news()

    def select(self, index: int) -> None:
        """Select the row at `index` and bring it into the window."""
        self._index = index
        self.selected = self._keys[index]
        self._reveal()
        self._follow_at_news()

    def unselect(self) -> None:
        """No row is selected."""
        self.selected = self._index = None
        self._follow_at_news()

    def to_news(self) -> None:
        """Follow the news again, without a selection."""
        self.selected = self._index = None
        self.is_following = True
        self._clamp()

    def _clamp(self) -> None:
        limit = max(0, self.count - self.height)
        if self.is_following:
            self.top = limit if self.follows_end else 0
        self.top = max(0, min(limit, self.top))

    def _reveal(self) -> None:
        if self._index is None or self.height <= 0:
            return
        self.top = max(self._index - self.height + 1, min(self.top, self._index))
        if not self.follows_end and self.top:
            self.is_following = False

    def _follow_at_news(self) -> None:
        if self.follows_end:
            # A selected line is being read: new ones must not push it away.
            self.is_following = self._index is None and self.top >= self.count - self.height
        else:
            self.is_following = self.top == 0


def _index(keys: Sequence[Hashable], key: Hashable | None) -> int | None:
    if key is None:
        return None
    try:
        return keys.index(key)
    except ValueError:
        return None
