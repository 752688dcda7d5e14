"""What the panels of the order book share: a heading that says how far the book may be believed."""

from __future__ import annotations

from pinnacle_tui.widgets.book_trust import stale_words
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.scene import Scene


class BookPanel(Panel):
    """Subclasses give `remark_words`, the most important first."""

    def remark_words(self, scene: Scene) -> list[str]:
        """What stands behind the staleness in the heading; empty texts are left out."""
        raise NotImplementedError

    def remark(self, scene: Scene) -> str:
        """Staleness, then the panel's own words, as far as there is room."""
        words = [word for word in (stale_words(scene), *self.remark_words(scene)) if word]
        room = self.size.width - len(self.TITLE) - 4
        while len(words) > 1 and len(" · ".join(words)) > room:
            words.pop()
        return " · ".join(words)

    def remark_style(self, scene: Scene) -> str:
        """Amber while the book is stale."""
        return "warning bold" if stale_words(scene) else super().remark_style(scene)
