"""Paper and live trading: the venue is spoken to, the account checked, all on the network put together."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

from engine.config import Config, Resolved
from engine.core.clock import Clock, LiveClock
from engine.core.errors import UsageError
from engine.credentials.log_filter import never_show
from engine.exchange.account import Opening
from engine.exchange.coinbase.broker import (
    AuthenticationError,
    Balance,
    Broker,
    BrokerError,
    FeeRates,
    Permissions,
    ProductState,
)
from engine.exchange.coinbase.feed.book_audit import BookAudit
from engine.exchange.coinbase.feed.live_feed import LiveFeed
from engine.exchange.coinbase.feed.user_stream import UserStream
from engine.exchange.coinbase.keys import ApiKey, ExchangeKey, read_key_file
from engine.exchange.coinbase.network import ADVANCED
from engine.exchange.coinbase.rest.brokers import broker_for
from engine.exchange.coinbase.signing import signer_for
from engine.exchange.coinbase.wire.sessions import Api
from engine.exchange.live.balances import AccountCheck
from engine.exchange.live.reconcile import ReconcileReport
from engine.exchange.live.sweeps import SweepEvidence
from engine.exchange.live.venue import LiveVenue
from engine.exchange.protocol import Edge
from engine.persistence.installation import installation_tag
from engine.persistence.records import Reconciled
from engine.runtime.bell import Bell
from engine.runtime.builder import Market, build_desk, build_paper
from engine.runtime.clock_watch import HALT_NS, ClockWatch
from engine.runtime.desk import Desk
from engine.runtime.loop_watch import LoopWatch
from engine.runtime.own_record import TraderRecord, earned
from engine.runtime.session import Begun
from engine.runtime.session_store import data_dir_of
from engine.watchdog.guardian import Guardian
from engine.watchdog.hello import hello_of
from engine.watchdog.log import read_log
from engine.watchdog.messages import Report

_ACCOUNT_DIGITS: Final = 16
_KEY_ADVICE: Final = "make a key that may view and trade, and no more"


async def connect(resolved: Resolved, real: Clock, key: ApiKey | None = None) -> Network:
    """Speak to the venue and check what trading there needs. Nothing is sent that changes anything.

    `key` is one out of the vault; without it that of `network.key_file` is used, where one is named.
    Raises `UsageError` for what the settings cannot mean there, `BrokerError` for a venue that is not
    reached or a key that is refused.
    """
    config = resolved.config
    api = config.exchange.name or ADVANCED
    endpoints = config.network.endpoints(api)
    if key is None and config.network.key_file is not None:
        key = read_key_file(Path(config.network.key_file), api)
    if isinstance(key, ExchangeKey):
        never_show(key.secret)
        never_show(key.passphrase)
    clock = LiveClock(real)
    broker = broker_for(
        api,
        endpoints,
        key,
        clock=clock,
        ca_file=config.network.ca_file,
        answer_timeout_s=config.network.answer_timeout_ms / 1_000,
    )
    try:
        await broker.open()
        products = await _products(broker, config)
        balances: dict[str, Balance] = {}
        account = ""
        if key is not None:
            rights = await broker.permissions()
            _require_rights(rights, config, api)
            account = _account(rights)
            resolved = with_account_fees(resolved, await broker.fees(), broker.name)
        if config.engine.mode == "live" and (reason := resolved.config.edge_violation()):
            raise UsageError(f"live mode needs {reason}. Nothing was sent")
        opened_ns = clock.wall_ns() + (broker.clock_offset_ns or 0)
        if config.engine.mode == "live":
            _require_clock(broker)
            balances = await broker.balances()
    except BaseException:
        await broker.close()
        raise
    return Network(resolved, api, key, clock, broker, products, balances, account, opened_ns)


async def _products(broker: Broker, config: Config) -> dict[str, ProductState]:
    wanted = config.engine.symbols
    known = await broker.products(wanted)
    for symbol in wanted:
        state = known.get(symbol)
        if state is None:
            raise UsageError(f"{broker.name} has no product {symbol}; nothing was sent")
        if config.engine.mode == "live" and not state.is_tradable:
            raise UsageError(f"{symbol} cannot be traded now: {state.note}; nothing was sent")
    return {symbol: known[symbol] for symbol in wanted}


def _require_rights(rights: Permissions, config: Config, api: str) -> None:
    if rights.can_transfer:
        raise AuthenticationError(
            "KEY_TOO_STRONG",
            f"this key may move money out of the account, which trading never needs: {_KEY_ADVICE}. "
            "Nothing was sent",
        )
    if config.engine.mode == "live" and rights.can_trade is False:
        raise AuthenticationError("PERMISSION", f"this key may not trade: {_KEY_ADVICE}. Nothing was sent")
    # Exchange never tells, which whoever starts is told; Advanced Trade always does.
    if config.engine.mode == "live" and api == ADVANCED and None in (rights.can_trade, rights.can_transfer):
        raise AuthenticationError(
            "PERMISSION",
            "the venue does not say whether this key may trade and may not move money out: try again later, "
            f"or {_KEY_ADVICE}. Nothing was sent",
        )


def _account(rights: Permissions) -> str:
    """What tells a portfolio from others, without its id: sessions are shown to strangers."""
    return hashlib.sha256(rights.portfolio.encode()).hexdigest()[:_ACCOUNT_DIGITS] if rights.portfolio else ""


def _require_clock(broker: Broker) -> None:
    offset = broker.clock_offset_ns
    if offset is not None and abs(offset) > HALT_NS:
        raise BrokerError(
            "CLOCK",
            f"this machine's clock is {abs(offset) / 1e9:.1f} s off the venue's: set it "
            "(timedatectl set-ntp true). Nothing was sent",
        )


def with_account_fees(resolved: Resolved, rates: FeeRates, venue: str) -> Resolved:
    """The account's own rates, unless somebody has said otherwise."""
    sources = dict(resolved.sources)
    fees = resolved.config.fees
    for name, rate in (("maker_bps", rates.maker_bps), ("taker_bps", rates.taker_bps)):
        if sources[f"fees.{name}"].startswith("default"):
            fees = replace(fees, **{name: rate})
            sources[f"fees.{name}"] = f"the account at {venue}" + (f", {rates.tier}" if rates.tier else "")
    return replace(resolved, config=replace(resolved.config, fees=fees), sources=sources)


class Network:
    """A venue that was spoken to. See `engine.runtime.session.MarketMaking`."""

    def __init__(
        self,
        resolved: Resolved,
        api: str,
        key: ApiKey | None,
        clock: LiveClock,
        broker: Broker,
        products: Mapping[str, ProductState],
        balances: Mapping[str, Balance],
        account: str,
        opened_ns: int,
    ) -> None:
        """`account`: see `Market`. `opened_ns`: wall time of the venue just before it was asked for the
        balances."""
        engine = resolved.config.engine
        if not engine.order_tag:
            # No id of this session may have been used by another one of this account.
            engine = replace(engine, order_tag=1 + secrets.randbelow(2**32 - 1))
        if engine.mode == "live" and not engine.installation_tag:
            engine = replace(engine, installation_tag=installation_tag(data_dir_of(resolved.config)))
        resolved = replace(resolved, config=replace(resolved.config, engine=engine))
        self.resolved = resolved
        """The configuration with what the venue says of the account."""
        self._api = api
        self._key = key
        self._clock = clock
        self._broker = broker
        self._products = products
        self._balances = balances
        self._account = account
        self._opened_ns = opened_ns
        self._bell = Bell()
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Let go of the venue; for a start that ends before anything runs."""
        await self._broker.close()

    def market(self, config: Config, begun: Begun | None) -> Market:
        """See `MarketMaking`."""
        instruments = {symbol: state.instrument for symbol, state in self._products.items()}
        feed = LiveFeed(
            Api(self._api),
            config.network.endpoints(self._api),
            instruments,
            config.network,
            self._clock,
            self._bell.ring,
            aliases={symbol: state.alias for symbol, state in self._products.items() if state.alias},
            restrain=self._bell.restrain,
            warn=self._bell.warn,
            clock_offset_ns=lambda: self._broker.clock_offset_ns,
        )
        market = Market(
            desks=[],
            feeds=[feed],
            start_wall_ns=self._opened_ns if begun is None else begun.wall_ns,
            feed_counters=feed.counters,
            clock=self._clock,
            bell=self._bell,
            venue_watch=_Watched(feed, self._broker),
        )
        if config.engine.mode == "paper":
            desks = [
                build_desk(config, instrument, build_paper(config, instrument), number)
                for number, instrument in enumerate(instruments.values())
            ]
            edges: list[Edge] = [_BrokerEdge(self._broker), LoopWatch(self._clock, self._bell)]
            return replace(market, desks=desks, edges=[*edges, feed, self._audit(config, feed, desks)])
        if begun is None:
            openings = {symbol: self._opening(state) for symbol, state in self._products.items()}
            begun = Begun(openings, self._opened_ns)
        return self._live(config, market, feed, begun)

    def _live(self, config: Config, market: Market, feed: LiveFeed, begun: Begun) -> Market:
        assert self._key is not None
        records: list[TraderRecord] = []
        desks: list[Desk] = []
        venues: dict[str, LiveVenue] = {}

        def watchdog_fired(report: Report) -> None:
            self._bell.warn("WATCHDOG", str(report))
            for each in venues.values():
                each.reconcile_now()

        guardian = Guardian(
            hello_of(
                self._api,
                config.network,
                self._key,
                list(self._products),
                tag=f"{config.engine.installation_tag:08x}-",
                session_folder=data_dir_of(config),
                data_dir=data_dir_of(config),
            ),
            self._bell.restrain,
            on_report=watchdog_fired,
            may_have_orders=lambda: any(record.open_orders() for record in records),
        )
        for number, (symbol, state) in enumerate(self._products.items()):
            record = TraderRecord(begun.openings[symbol], partial(earned, records))
            records.append(record)
            venue = LiveVenue(
                state.instrument,
                self._broker,
                record,
                self._clock,
                config.network,
                self._bell.ring,
                lease=guardian.lease.is_held,
                account=AccountCheck(state.instrument, record, begun.baselines.get(symbol)),
                opened_ns=begun.wall_ns,
                fills_since_ns=self._known_until_ns,
                on_report=self._reconciled,
                on_swept=partial(self._swept, symbol),
                warn=self._bell.warn,
            )
            venues[symbol] = venue
            desk = build_desk(config, state.instrument, venue, number, begun.openings[symbol])
            record.attach(desk.trader)
            desks.append(desk)
        stream = UserStream(
            Api(self._api),
            config.network.endpoints(self._api),
            venues,
            signer_for(self._key, self._venue_wall_ns),
            config.network,
            self._clock,
            warn=self._bell.warn,
        )
        self._bell.on_end.append(guardian.end)
        self._bell.on_rearm.extend(partial(self._accept, *each) for each in venues.items())
        return replace(
            market,
            desks=desks,
            edges=[
                _BrokerEdge(self._broker),
                _WatchdogsWord(data_dir_of(config), list(self._products), self._bell),
                guardian,
                ClockWatch(self._broker, self._bell),
                LoopWatch(self._clock, self._bell),
                *venues.values(),
                stream,
                feed,
                self._audit(config, feed, desks),
            ],
            openings=begun.openings,
            account=self._account,
        )

    def _audit(self, config: Config, feed: LiveFeed, desks: Sequence[Desk]) -> BookAudit:
        """Compares the books that are traded on with the venue's other word on them."""
        books = {desk.product: desk.trader.book for desk in desks}
        instruments = {desk.product: desk.trader.instrument for desk in desks}
        return BookAudit(feed, self._broker, instruments, books.get, float(config.network.audit_interval_s))

    def _known_until_ns(self) -> int | None:
        """Wall time up to which our record is known to be whole; None for a session that begins."""
        return self._bell.known_until_ns

    def _reconciled(self, report: ReconcileReport) -> None:
        """Put a comparison on record, where it found or did anything."""
        decided = {judged.order: judged.decision.name for judged in report.judged}
        if decided or report.imported or report.failure:
            asked = f"{report.listed} live orders listed, {report.cause}"
            asked += f", failed: {report.failure}" if report.failure else ""
            self._bell.note(Reconciled(report.product, asked, decided))

    def _swept(self, product: str, evidence: SweepEvidence) -> None:
        """Put the proof of a kill, or of the end, on record."""
        report = evidence.report
        if report is None:
            return
        decided = dict.fromkeys(report.cancelled, "cancelled") | dict.fromkeys(report.gone, "gone")
        decided |= dict.fromkeys(evidence.filled_meanwhile, "filled meanwhile")
        self._bell.note(Reconciled(product, f"orders to be cancelled ({evidence.reason}): {report}", decided))

    def _accept(self, product: str, venue: LiveVenue, rearmed: Collection[str]) -> None:
        """A person has looked and rearmed products: what the account holds of them now is right."""
        if product not in rearmed:
            return

        async def accept() -> None:
            try:
                self._bell.accepted(product, await venue.accept_balances())
            except BrokerError as error:
                self._bell.warn("BALANCES", f"the balances could not be had, they may differ still: {error}")

        task = asyncio.create_task(accept(), name="accept balances")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _venue_wall_ns(self) -> int:
        """The time by which the venue judges a token."""
        return self._clock.wall_ns() + (self._broker.clock_offset_ns or 0)

    def _opening(self, state: ProductState) -> Opening:
        """What the account has of a product's two currencies."""
        instrument, nothing = state.instrument, Decimal(0)
        base, quote = self._balances.get(instrument.base), self._balances.get(instrument.quote)
        return Opening(nothing if quote is None else quote.total, nothing if base is None else base.total)


class _BrokerEdge:
    """The broker, which is open already, as the `Edge` that is stopped last."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def start(self) -> None:
        """See `Edge`."""

    async def stop(self) -> None:
        """See `Edge`."""
        await self._broker.close()


class _Watched:
    """What is known of the venue, for people. See `VenueWatch`."""

    def __init__(self, feed: LiveFeed, broker: Broker) -> None:
        self._feed = feed
        self._broker = broker

    @property
    def clock_offset_ns(self) -> int | None:
        """See `VenueWatch`."""
        return self._broker.clock_offset_ns

    def trust(self, product: str) -> tuple[int, str]:
        """See `VenueWatch`."""
        trust = self._feed.trust(product)
        return trust.score, trust.reason.partition(": ")[2]  # the score itself is told beside it


class _WatchdogsWord:
    """Tells, as the first `Edge`, what watchdogs did since our record ends: nobody else has it."""

    def __init__(self, folder: Path, products: Sequence[str], bell: Bell) -> None:
        self._folder = folder
        self._products = products
        self._bell = bell

    async def start(self) -> None:
        """See `Edge`."""
        since_ns = self._bell.known_until_ns
        if since_ns is None:
            return
        try:
            lines = read_log(self._folder)
        except OSError as error:
            self._bell.warn("WATCHDOG", f"the watchdog's log cannot be read: {error.strerror}")
            return
        for line in lines:
            if line.wall_ns >= since_ns and line.event in ("fired", "proof", "trouble"):
                self._bell.warn("WATCHDOG", f"while the engine was away: {line.text}")
                decided = dict.fromkeys(line.orders, "cancelled by the watchdog")
                for product in self._products:
                    self._bell.note(
                        Reconciled(product, f"the watchdog's log, {line.event}: {line.text}", decided)
                    )

    async def stop(self) -> None:
        """See `Edge`."""
