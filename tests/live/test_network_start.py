"""What a start on the network asks of venue, key and clock before anything is traded."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from live.venue_kit import configured, running_venue

from engine.core.clock import SystemClock
from engine.core.errors import PinnacleError, UsageError
from engine.exchange.coinbase.broker import AuthenticationError, BrokerError, Permissions
from engine.exchange.coinbase.rest.advanced_broker import AdvancedBroker
from engine.local_venue.fee_tiers import single_tier
from engine.local_venue.keys import Rights, make_cdp_key, write_key
from engine.local_venue.settings import VenueSettings
from engine.runtime.network import connect


class _Off(SystemClock):
    """A clock that is wrong by so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._off = int(seconds * 1e9)

    def wall_ns(self) -> int:
        return super().wall_ns() + self._off


async def test_paper_needs_no_key_and_live_takes_the_accounts_word(tmp_path: Path) -> None:
    async with running_venue(tmp_path) as (venue, key_file):
        paper = await connect(configured(venue, "paper"), SystemClock())
        assert paper.resolved.sources["fees.maker_bps"].startswith("default")
        await paper.close()
        live = await connect(configured(venue, "live", key_file), SystemClock())
        tier = venue.core.fee_tier
        assert live.resolved.config.fees.maker_bps == tier.maker_rate * 10_000
        assert live.resolved.sources["fees.maker_bps"].startswith("the account at coinbase")
        assert live.resolved.config.engine.order_tag
        market = live.market(live.resolved.config, None)
        assert market.openings["BTC-USD"].base == Decimal(10)
        assert market.openings["BTC-USD"].quote == Decimal(1_000_000)
        await live.close()


async def test_fees_that_a_person_has_set_stay(tmp_path: Path) -> None:
    async with running_venue(tmp_path) as (venue, key_file):
        network = await connect(configured(venue, "paper", key_file, fees__maker_bps="7"), SystemClock())
        assert network.resolved.config.fees.maker_bps == 7
        assert network.resolved.sources["fees.maker_bps"] == "--set"
        await network.close()


@pytest.mark.parametrize(("maker_bps", "starts"), [("4", True), ("5", True), ("5.1", False)])
async def test_live_starts_from_no_spread_below_the_accounts_own_break_even(
    tmp_path: Path, maker_bps: str, starts: bool
) -> None:
    settings = VenueSettings(fee_tiers=single_tier(Decimal(maker_bps) / 10_000, Decimal("0.001")))
    async with running_venue(tmp_path, settings) as (venue, key_file):
        resolved = configured(venue, "live", key_file, strategy__allow_negative_edge="false")
        if starts:
            await (await connect(resolved, SystemClock())).close()
            return
        with pytest.raises(UsageError) as refused:
            await connect(resolved, SystemClock())
        assert str(refused.value) == (
            "live mode needs strategy.base_spread_bps of at least 10.2 bp, the break-even spread of two "
            "maker fills (it is 10), or strategy.allow_negative_edge = true. Nothing was sent"
        )


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        (Rights(transfer=True), "this key may move money out of the account"),
        (Rights(trade=False), "this key may not trade"),
    ],
)
async def test_a_key_with_other_rights_is_refused(tmp_path: Path, rights: Rights, said: str) -> None:
    async with running_venue(tmp_path, key=make_cdp_key(rights=rights)) as (venue, key_file):
        with pytest.raises(AuthenticationError, match=said) as refused:
            await connect(configured(venue, "live", key_file), SystemClock())
        assert refused.value.exit_code == 5
        assert not venue.core.orders()


@pytest.mark.parametrize("unknown", ["can_trade", "can_transfer"])
async def test_rights_that_the_venue_does_not_tell_are_no_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unknown: str
) -> None:
    told = AdvancedBroker.permissions

    async def silent(broker: AdvancedBroker) -> Permissions:
        return msgspec.structs.replace(await told(broker), **{unknown: None})

    monkeypatch.setattr(AdvancedBroker, "permissions", silent)
    async with running_venue(tmp_path) as (venue, key_file):
        with pytest.raises(AuthenticationError, match="does not say whether this key may trade"):
            await connect(configured(venue, "live", key_file), SystemClock())


async def test_a_key_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    async with running_venue(tmp_path) as (venue, _):
        stranger = write_key(tmp_path / "other", make_cdp_key())
        with pytest.raises(AuthenticationError) as refused:
            await connect(configured(venue, "live", stranger), SystemClock())
        assert refused.value.exit_code == 5


async def test_a_product_that_is_not_there_or_halted(tmp_path: Path) -> None:
    async with running_venue(tmp_path) as (venue, key_file):
        resolved = configured(venue, "paper", engine__symbols="NOPE-USD")
        with pytest.raises(UsageError, match="has no product NOPE-USD"):
            await connect(resolved, SystemClock())
        venue.core.products["BTC-USD"].trading_disabled = True
        with pytest.raises(UsageError, match="BTC-USD cannot be traded now"):
            await connect(configured(venue, "live", key_file), SystemClock())
        await (await connect(configured(venue, "paper"), SystemClock())).close()


async def test_live_does_not_start_with_a_wrong_clock(tmp_path: Path) -> None:
    async with running_venue(tmp_path) as (venue, key_file):
        with pytest.raises(PinnacleError, match=r"this machine.s clock is 3\.0 s"):
            await connect(configured(venue, "live", key_file), _Off(3))
        network = await connect(configured(venue, "live", key_file), _Off(-0.4))
        await network.close()


async def test_a_venue_that_is_not_there(tmp_path: Path) -> None:
    async with running_venue(tmp_path) as (venue, key_file):
        resolved = configured(venue, "live", key_file)
    with pytest.raises(BrokerError, match="nothing was sent") as failed:
        await connect(resolved, SystemClock())
    assert failed.value.exit_code == 5
