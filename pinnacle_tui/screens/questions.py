"""The questions before the commands that cannot be undone, with what they would do now in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.foreign_text import visible
from engine.link.messages import Ack
from engine.link.view import Product, ProductView
from pinnacle_tui.numbers import Numbers
from pinnacle_tui.screens.confirm import Confirm
from pinnacle_tui.screens.typed_word import TypedWord

if TYPE_CHECKING:
    from pinnacle_tui.steering_app import SteeringApp

_BPS = 10_000
_QUOTING = ("ACTIVE", "REDUCING")


def cancel_all(app: SteeringApp, symbol: str = "") -> Confirm:
    """Ask before every order of every product, or of one, is cancelled."""
    books = _books(app, symbol)
    lines = [_orders(book, product) for book, product in books if book.orders]
    count = sum(len(book.orders) for book, _ in books)
    if not lines:
        lines = ["As far as this screen knows no order is open; the engine will make sure of it."]
    lines.append("Cancelling cannot be undone.")
    if any(book.state in _QUOTING for book, _ in books):
        lines.append("Quoting goes on with new orders; to stay out of the market, pause it as well.")
    return Confirm(
        f"Cancel {_plural(count, 'open order')}{_whose(app, symbol)}?"
        if count
        else f"Cancel all orders{_whose(app, symbol)}?",
        "\n".join(lines),
        yes="Yes, cancel all",
        no="No, keep them",
    )


def flatten(app: SteeringApp, symbol: str = "") -> Confirm:
    """Ask before positions, or that of one product, are closed with orders that take."""
    books = _books(app, symbol)
    lines = [_closing(app, book, product) for book, product in books if book.pnl.position]
    if not lines:
        lines = ["As far as this screen knows there is no position to close."]
    count = sum(len(book.orders) for book, _ in books)
    if count:
        lines.append(f"{_plural(count, 'open order')} will be cancelled first.")
    lines.append("Then quoting is paused until somebody resumes. Trades cannot be undone.")
    return Confirm(
        f"Close the position{_whose(app, symbol)} at the market?",
        "\n".join(lines),
        yes="Yes, close it",
        no="No, keep it",
    )


def loosen(change: str, ack: Ack) -> TypedWord:
    """Ask before a limit of real money is loosened: its key has to be typed. `ack` says what is loosened."""
    return TypedWord(
        f"Loosen {visible(ack.confirm)}?",
        f"{change}\n{ack.text}.",
        word=ack.confirm,
        yes="Yes, loosen it",
        no="No, leave it as it is",
    )


def reset_breaker(app: SteeringApp) -> Confirm:
    """Ask before circuit breakers are closed, with what has opened them."""
    lines = [
        f"{book.symbol}: {book.breaker.state}, {book.breaker.trigger}: {book.breaker.reason}."
        for book, _ in _books(app)
        if book.breaker is not None and book.breaker.trigger and book.breaker.state != "closed"
    ]
    lines.append("Quotes of whole size follow at once, unless something else restricts trading.")
    return Confirm(
        "Close the circuit breaker?", "\n".join(lines), yes="Yes, close it", no="No, leave it to its timers"
    )


def rearm(app: SteeringApp, symbol: str = "") -> TypedWord:
    """Ask before a halt or the kill switch, of all or of one, is taken back: a product has to be typed."""
    scene, books = app.scene(), _books(app, symbol)
    lines, word = [], symbol or ("REARM" if scene is None else scene.book.symbol)
    is_one = len(books) < 2
    for book, product in books:
        of = "" if is_one else f"{book.symbol}: "
        lines += [f"{of}{held.code} holds trading {held.state}: {held.reason}" for held in book.restrictions]
        profit = Numbers.of(product, book).money(book.pnl.total).strip()
        lines.append(f"{of}{'P' if is_one else 'p'}rofit since the start: {profit} {product.quote}.")
    lines.append(
        "Quoting starts again as soon as nothing else restricts it, and drawdown is measured anew from the "
        "present equity. Look at why it stopped first."
    )
    return TypedWord(
        f"Take the halt{_whose(app, symbol)} back and trade again?",
        "\n".join(lines),
        word=word,
        yes="Yes, rearm",
        no="No, stay stopped",
    )


def _books(app: SteeringApp, symbol: str = "") -> list[tuple[ProductView, Product]]:
    """Every product, or that one."""
    view, mirror = app.mirror.view, app.mirror
    books = view.products if view is not None else ()
    return [
        (book, known)
        for book in books
        if symbol in ("", book.symbol) and (known := mirror.product(book.symbol)) is not None
    ]


def _whose(app: SteeringApp, symbol: str) -> str:
    """Whose it is, to go on a question with; nothing where there is one product."""
    count = len(_books(app))
    return "" if count < 2 else f" of {symbol} alone" if symbol else f" of all {count} products"


def _orders(book: ProductView, product: Product) -> str:
    """`BTC-USD: 2 bids and 2 asks, 0.0360 BTC, worth 2,343.19 USD`."""
    numbers = Numbers.of(product, book)
    lots = value = 0
    for order in book.orders:
        rest = order.size - order.filled
        lots += rest
        value += _notional(product, order.price, rest)
    bids = sum(order.side > 0 for order in book.orders)
    return (
        f"{book.symbol}: {_plural(bids, 'bid')} and {_plural(len(book.orders) - bids, 'ask')}, "
        f"{numbers.size(lots)} {product.base}, worth {numbers.amount(value)} {product.quote}."
    )


def _closing(app: SteeringApp, book: ProductView, product: Product) -> str:
    """What closing a position would trade, at about which price and cost, by the book that is shown."""
    numbers, position = Numbers.of(product, book), book.pnl.position
    verb = "Sell" if position > 0 else "Buy"
    words = f"{verb} {numbers.size(abs(position))} {product.base} in {book.symbol}"
    lots, value = _swept(product, book.bids if position > 0 else book.asks, abs(position))
    if not lots:
        return f"{words}: nobody is there to trade with, as far as the book shows."
    if lots < abs(position):
        return f"{words}: the book that is shown holds only {numbers.size(lots)} of it."
    price = value // (2 * product.atoms_per_half_tick_lot * lots)
    words += f" at about {numbers.price(price)}: {numbers.amount(value)} {product.quote}"
    if book.pnl.mark is not None:
        loss = (book.pnl.mark * product.atoms_per_half_tick_lot * lots - value) * (1 if position > 0 else -1)
        than = "less" if (loss >= 0) == (position > 0) else "more"
        words += f", {numbers.amount(abs(loss))} {than} than at the mid"
    fee = _taker_fee(app, value)
    if fee is not None:
        words += f"; the fee is about {numbers.amount(fee)}"
    return words + "."


def _swept(product: Product, levels: tuple[tuple[int, int], ...], lots: int) -> tuple[int, int]:
    """Lots that `levels` can take of `lots`, and their value in atoms."""
    taken = value = 0
    for price, size in levels:
        part = min(size, lots - taken)
        taken += part
        value += _notional(product, price, part)
    return taken, value


def _taker_fee(app: SteeringApp, value: int) -> int | None:
    try:
        bps = float(app.mirror.settings["fees.taker_bps"])
    except (KeyError, ValueError):
        return None
    return round(value * bps / _BPS)


def _notional(product: Product, price: int, lots: int) -> int:
    return 2 * price * lots * product.atoms_per_half_tick_lot


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
