"""The rows between rungs: spread, mid and last trade, or why there is none; and what a gap leaves out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from pinnacle_tui.numbers import NOTHING, Numbers, grouped
from pinnacle_tui.widgets.book_trust import book_trouble
from pinnacle_tui.widgets.ladder_rows import DOWN, UP
from pinnacle_tui.widgets.ladder_window import Gap
from pinnacle_tui.widgets.rows import Row, Span, centred, left, row_width
from pinnacle_tui.widgets.scene import Scene


def spread_row(scene: Scene, width: int) -> Row:
    """Spread, mid and last trade, as far as they fit; words where there is no spread."""
    trouble = book_trouble(scene.book)
    last = _last_trade(scene)
    if trouble:
        words: list[Span] = [(trouble, "warning bold")]
        return (
            ruled_row([words, last], width)
            or ruled_row([words], width)
            or words_row(trouble, width, "warning bold")
        )
    bid, ask = scene.book.bids[0][0], scene.book.asks[0][0]
    spread, basis, mid = _spread_words(scene.numbers, bid, ask)
    named: list[Span] = [("spread ", "muted"), (spread, "text bold")]
    with_basis: list[Span] = [*named, (f" · {basis} bp", "muted")]
    named_mid: list[Span] = [("mid ", "muted"), (mid, "text bold")]
    choices: tuple[list[list[Span]], ...] = (
        [with_basis, named_mid, last],
        [with_basis, named_mid],
        [named, named_mid],
        [with_basis],
        [named],
    )
    fitting = (ruled_row(groups, width) for groups in choices)
    return next((row for row in fitting if row is not None), words_row(spread, width, "text bold"))


def _spread_words(numbers: Numbers, bid: int, ask: int) -> tuple[str, str, str]:
    basis = (ask - bid) * 200_000_000 // (bid + ask) if bid + ask > 0 else None
    return (
        numbers.price(ask - bid),
        NOTHING if basis is None else grouped(basis, 4, 2),
        numbers.mid(bid + ask),
    )


def _last_trade(scene: Scene) -> list[Span]:
    if not scene.book.trades:
        return []
    trade = scene.book.trades[-1]
    arrow, style = (UP, "up bold") if trade.side > 0 else (DOWN, "down bold")
    return [("last ", "muted"), (scene.numbers.price(trade.price), "text bold"), (f" {arrow}", style)]


def gap_row(scene: Scene, gap: Gap, width: int) -> Row:
    """How far away our orders beyond the visible levels are."""
    numbers = scene.numbers
    if not gap.has_pins:
        words = f" {UP if gap.side < 0 else DOWN} {gap.more} own from {numbers.price(gap.price)}"
        return ((left(words, width), "own"),)
    count = f"{gap.levels}{'+' if gap.is_least else ''} {'level' if gap.levels == 1 else 'levels'}"
    levels, away = ([count] if gap.levels else []), numbers.price(gap.away)
    choices = (
        [*levels, f"{away} {scene.product.quote} away", f"{gap.more} more own"],
        [*levels, f"{away} away", f"{gap.more} more"],
        [*levels, away, f"+{gap.more}"],
        [away, f"+{gap.more}"],
    )
    for choice in choices:
        words = " ⋮ " + " · ".join(choice if gap.more else choice[:-1])
        if cell_len(words) <= width:
            break
    return ((left(words, width), "muted"),)


def words_row(words: str, width: int, style: str) -> Row:
    """Words in the middle of an empty row, cut where they do not fit."""
    return ((centred(words, width), style),)


def ruled_row(groups: Sequence[Sequence[Span]], width: int) -> Row | None:
    """Groups of words in a horizontal rule, empty ones left out; None where they do not fit."""
    groups = [group for group in groups if group]
    room = width - sum(row_width(tuple(group)) + 2 for group in groups)
    if room < 0:
        return None
    share, rest = divmod(room, len(groups) + 1)
    spans: list[Span] = []
    for group in groups:
        spans += [("─" * share + " ", "rule"), *group, (" ", "rule")]
    spans.append(("─" * (share + rest), "rule"))
    return tuple(spans)
