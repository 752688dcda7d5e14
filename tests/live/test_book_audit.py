"""The audit by REST, and what the feed makes of it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from random import Random

from coinbase_frames import INSTRUMENTS, advanced, heartbeat, l2, l2_snapshot
from ws_kit import FeedReader, Peer, ScriptedVenue

from engine.core.events import FeedState
from engine.exchange.coinbase.broker import BookTop, BrokerError
from engine.exchange.coinbase.feed.book_audit import BookAudit
from engine.exchange.coinbase.feed.trust import Difference

BTC = {"BTC-USD": INSTRUMENTS["BTC-USD"]}


def top(bid: str = "1") -> BookTop:
    """The book of `l2_snapshot`, with another size at the best bid if wanted."""
    return BookTop(
        bids=((Decimal("99.99"), Decimal(bid)), (Decimal("99.98"), Decimal(2))),
        asks=((Decimal("100.01"), Decimal("0.5")), (Decimal("100.02"), Decimal("0.25"))),
    )


STRANGE = BookTop(bids=((Decimal(50), Decimal(1)),) * 3, asks=((Decimal("100.01"), Decimal("0.5")),))


class Rest:
    """Answers with what it is told to."""

    def __init__(self, *answers: BookTop | BrokerError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def book_top(self, product: str, depth: int) -> BookTop:
        self.asked.append((product, depth))
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BrokerError):
            raise answer
        return answer


async def script(peer: Peer) -> None:
    await peer.asked("subscribe", "level2")
    await peer.send(heartbeat(0, 1), l2_snapshot(1))
    await peer.asked("unsubscribe", "level2")
    await peer.send(advanced("subscriptions", 2, {"subscriptions": {}}))
    await peer.asked("subscribe", "level2", 2)
    await peer.send(l2_snapshot(3), l2(4, "update", "BTC-USD", [("99.99", "4")]))


async def test_a_book_that_rest_confirms_is_trusted_and_one_that_it_does_not_is_asked_for_anew() -> None:
    reader = FeedReader()
    async with ScriptedVenue(script) as venue:
        feed = reader.make(venue, BTC, random=Random(1))
        rest = Rest(top(), top("3"), BrokerError("TIMEOUT", "no answer"), STRANGE)
        audit = BookAudit(feed, rest, BTC, reader.books.get, 60)
        await feed.start()
        try:
            assert await audit.audit("BTC-USD") is None
            assert rest.asked == []
            await reader.until(lambda: reader.is_live("BTC-USD"))
            assert await audit.audit("BTC-USD") == Difference(4, 0)
            assert feed.trust("BTC-USD").score == 100
            assert await audit.audit("BTC-USD") == Difference(4, 1)
            assert feed.trust("BTC-USD").score == 100
            assert await audit.audit("BTC-USD") is None
            assert (audit.audits, audit.unanswered, audit.last_failure) == (2, 1, "no answer")
            assert await audit.audit("BTC-USD") == Difference(4, 3)
            assert feed.trust("BTC-USD").reason == "trust 25 of 100: REST differs in 3 of 4 levels (-75)"
            reader.take()
            assert reader.states["BTC-USD"] is FeedState.STALE
            assert reader.reasons[-1] == "REST differs in 3 of 4 levels"
            await reader.until(lambda: reader.is_live("BTC-USD"))
            assert feed.trust("BTC-USD").score == 100
            assert len(venue.peers) == 1
        finally:
            await feed.stop()


async def test_an_answer_about_another_book_proves_nothing() -> None:
    """A snapshot came while REST was asked."""

    class Feed:
        count = 0
        found: list[Difference] = []

        def state(self, product: str) -> FeedState:
            return FeedState.LIVE

        def snapshots(self, product: str) -> int:
            self.count += 1
            return self.count

        def audited(self, product: str, found: Difference) -> None:
            self.found.append(found)

    audit = BookAudit(Feed(), Rest(STRANGE), BTC, lambda product: None, 60)
    assert await audit.audit("BTC-USD") is None
    assert Feed.found == []


async def test_it_runs_by_itself_and_ends() -> None:
    class Feed:
        def __init__(self) -> None:
            self.twice = asyncio.Event()
            self.found: list[Difference] = []

        def state(self, product: str) -> FeedState:
            return FeedState.LIVE

        def snapshots(self, product: str) -> int:
            return 1

        def audited(self, product: str, found: Difference) -> None:
            self.found.append(found)
            if len(self.found) == 2:
                self.twice.set()

    feed = Feed()
    never = BookAudit(feed, Rest(top()), BTC, lambda product: None, 0)
    await never.start()
    await never.stop()
    audit = BookAudit(feed, Rest(top()), BTC, lambda product: None, 0.01)
    await audit.start()
    async with asyncio.timeout(5):
        await feed.twice.wait()
    await audit.stop()
    assert feed.found[0] == Difference(4, 4)
