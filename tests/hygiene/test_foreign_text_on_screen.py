"""Text of strangers on the screen: every panel, list, dialog and toast shows it as data."""

from __future__ import annotations

import msgspec
from console import views
from console.fakes import FakeSession
from console.running import Running
from hygiene.payloads import PAYLOADS, WORDLESS, steers

from engine.link.messages import Bye, Verdict
from engine.link.view import Restriction
from pinnacle_tui.app import ConsoleApp
from pinnacle_tui.engine_host import Ending

TEXTS = [text[:3_000].encode("utf-8", "replace").decode() for text in PAYLOADS.values()]
ALL = " ".join(TEXTS)


def hostile_session() -> FakeSession:
    """An engine in which every text is a stranger's."""
    orders = tuple(
        views.working(
            f"B{n}", views.MID - 100 * (n + 1), client_id=text, venue_order_id=text, purpose=text, state=text
        )
        for n, text in enumerate(TEXTS)
    )
    quotes = tuple(
        msgspec.structs.replace(
            views.quote(order),
            slot=text,
            price_terms=tuple(
                msgspec.structs.replace(term, name=text, inputs=text)
                for term in views.quote(order).price_terms
            ),
        )
        for order, text in zip(orders, TEXTS, strict=True)
    )
    product = msgspec.structs.replace(views.BTC, symbol=ALL[:200] + TEXTS[0])
    book = views.product_view(
        product,
        note=ALL,
        orders=orders,
        quotes=quotes,
        restrictions=tuple(Restriction(text, text, views.TIME, text, text) for text in TEXTS),
    )
    events = []
    for n, text in enumerate(TEXTS):
        common = {"product": product.symbol}
        events += [
            msgspec.structs.replace(views.notice(4 * n + 1, "info", text, text), **common),
            msgspec.structs.replace(
                views.filled(4 * n + 2, client_id=text, fill_id=text, reason=text), **common
            ),
            msgspec.structs.replace(
                views.order_ended(4 * n + 3, client_id=text, venue_order_id=text, state=text, reason=text),
                **common,
            ),
        ]
    greeting = views.hello(product, session=TEXTS[0], venue=ALL)
    return FakeSession(views.mirror(shown=views.view(book), greeting=greeting, events=tuple(events)))


def assert_harmless(app: ConsoleApp) -> str:
    """Everything that is on the screen now, without a character that a terminal would obey."""
    text = "\n".join(
        "".join(segment.text for segment in strip if not segment.control)
        for strip in app.screen._compositor.render_strips()
    )
    assert not steers(text.replace("\n", ""))
    assert not any(word in text for word in WORDLESS)
    return text


async def test_every_panel_screen_and_dialog() -> None:
    session = hostile_session()
    async with Running(session, size=(120, 40)) as console:
        app = console.app
        seen = [assert_harmless(app)]
        assert not steers(app.sub_title)
        for key in ("o", "escape", "r", "escape", "e", "escape", "s", "escape", "q", "escape", "R", "escape"):
            await console.press(key)
            await console.settle()
            seen.append(assert_harmless(app))
        for n, text in enumerate(TEXTS):
            session.tell(msgspec.structs.replace(views.notice(1_000 + n, "error", text, text), product=""))
        await console.settle()
        seen.append(assert_harmless(app))
        for told in app._notifications:
            assert not steers(told.message.replace("\n", ""))
            assert not told.markup
        await console.press("K")
        session.answer(Verdict.UNKNOWN, ALL, open_orders=tuple(TEXTS))
        await console.settle()
        seen.append(assert_harmless(app))
        await console.press("escape")
        session.lose(ALL)
        await console.settle()
        seen.append(assert_harmless(app))
        session.host.words = TEXTS
        session.mirror.bye = Bye(75, ALL, open_orders=tuple(TEXTS))
        session.end(Ending(75, ALL))
        await console.settle()
        seen.append(assert_harmless(app))
    assert "[bold]fat[/bold]" in "".join(seen), "markup is data"
