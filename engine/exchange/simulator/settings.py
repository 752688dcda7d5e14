"""The simulator's settings: the market's value, its participants, and the venue's manners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine.core.settings import setting

ANSWER_ORIGINAL = "original"
ANSWER_REJECT = "reject"

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """Section `simulator`. The defaults resemble a quiet hour of BTC-USD, with a thinner book.

    A participant's rate says how often it acts, its size factor how large it acts: the median size of
    its orders is the factor times `order_size_base`. The classic slow market is taker 10/min x 0.3,
    maker 20/min x 0.4, noise 5/min x 0.1, arbitrageur 2/min x 0.2.
    """

    seed: int = setting(1, "The same seed gives the same run, byte for byte.", at_least=0)
    start_time: str = setting(
        "2026-01-05T09:00:00Z",
        "The wall time at which every run starts, so that a run depends on nothing but its settings.",
        unit="ISO 8601, UTC",
    )

    # -- the latent value ------------------------------------------------------------------------

    start_price: float | None = setting(
        None,
        "The latent value at the start; unset: the product's own price of 2026-08-09.",
        unit="quote",
        above=0,
    )
    volatility_pct_sqrt_min: float = setting(
        0.02,
        "Volatility of the latent value, hurried takers apart.",
        unit="% per square root of a minute",
        at_least=0,
        at_most=5,
    )
    drift_pct_per_hour: float = setting(
        0.0, "Drift of the latent log value.", unit="% per hour", at_least=-50, at_most=50
    )
    jump_rate_per_hour: float = setting(
        6.0,
        "How often the latent value jumps; 0 switches jumps off.",
        unit="per hour",
        at_least=0,
        at_most=3600,
    )
    jump_size_bps: float = setting(
        8.0, "Standard deviation of a jump of the latent value.", unit="bps", at_least=0, at_most=1000
    )

    # -- the ladder that is there from the start ---------------------------------------------------

    liquidity_levels: int = setting(
        30, "Price levels a side of the ladder that stands from the first moment.", at_least=1, at_most=500
    )
    liquidity_spacing_bps: float = setting(
        0.5, "Distance between two levels of the ladder.", unit="bps", above=0, at_most=100
    )
    liquidity_size_base: float = setting(
        0.02,
        "Size at each level of the ladder, in BTC; another product gets the size of the same value "
        "at the prices of 2026-08-09.",
        unit="base",
        above=0,
    )
    liquidity_refresh_ms: float = setting(
        100.0, "One level of the ladder, in turn, is moved and refilled this often.", unit="ms", at_least=1
    )

    # -- participants ------------------------------------------------------------------------------

    order_size_base: float = setting(
        0.002,
        "Median order size that the size factors multiply, in BTC; another product gets the size of the "
        "same value at the prices of 2026-08-09.",
        unit="base",
        above=0,
    )
    maker_count: int = setting(6, "Number of background market makers.", at_least=0, at_most=100)
    maker_rate_per_min: float = setting(
        900.0,
        "How often a maker requotes, all makers together.",
        unit="per minute",
        at_least=0,
        at_most=60_000,
    )
    maker_size_factor: float = setting(
        2.0, "Median size of a maker's order.", unit="x order_size_base", above=0
    )
    maker_size_sigma: float = setting(
        1.8, "Dispersion of makers' sizes.", unit="standard deviation of the logarithm", at_least=0, at_most=4
    )
    maker_orders_per_side: int = setting(
        6, "Orders a side that a maker keeps; a new one replaces its oldest.", at_least=1, at_most=100
    )
    maker_half_spread_bps: float = setting(
        0.05,
        "The least distance a maker keeps from its view of the value.",
        unit="bps",
        at_least=0,
        at_most=1000,
    )
    maker_depth_bps: float = setting(
        2.0, "Mean of the exponential distance a maker adds to it.", unit="bps", at_least=0, at_most=1000
    )
    maker_noise_bps: float = setting(
        0.3,
        "Standard deviation of a maker's view around the latent value.",
        unit="bps",
        at_least=0,
        at_most=1000,
    )
    taker_rate_per_min: float = setting(
        240.0, "Market takers.", unit="per minute", at_least=0, at_most=60_000
    )
    taker_size_factor: float = setting(
        0.3, "Median size of a taker's order.", unit="x order_size_base", above=0
    )
    taker_size_sigma: float = setting(
        2.3, "Dispersion of takers' sizes.", unit="standard deviation of the logarithm", at_least=0, at_most=4
    )
    sweep_share: float = setting(
        0.08, "Share of takers in a hurry, who take all there is to a depth.", at_least=0, at_most=1
    )
    sweep_depth_bps: float = setting(
        8.0, "Mean of the exponential depth that a hurried taker clears.", unit="bps", at_least=0, at_most=500
    )
    sweep_impact: float = setting(
        0.15,
        "Part of the depth a hurried taker clears by which the latent value follows: what the hurry knew.",
        at_least=0,
        at_most=1,
    )
    informed_share: float = setting(
        0.15, "Share of takers who know the latent value ahead of time.", at_least=0, at_most=1
    )
    informed_horizon_s: float = setting(
        10.0, "How far ahead informed takers see.", unit="s", at_least=0, at_most=600
    )
    informed_size_factor: float = setting(
        3.0, "Median size of an informed taker's order.", unit="x order_size_base", above=0
    )
    noise_rate_per_min: float = setting(
        60.0, "Noise traders: small orders for no reason.", unit="per minute", at_least=0, at_most=60_000
    )
    noise_size_factor: float = setting(
        0.1, "Median size of a noise trader's order.", unit="x order_size_base", above=0
    )
    arbitrageur_rate_per_min: float = setting(
        60.0, "How often the arbitrageur looks.", unit="per minute", at_least=0, at_most=60_000
    )
    arbitrageur_size_factor: float = setting(
        20.0, "The most the arbitrageur takes at a time.", unit="x order_size_base", above=0
    )
    arbitrageur_margin_bps: float = setting(
        1.0, "How far the touch must be off the latent value.", unit="bps", at_least=0, at_most=1000
    )

    # -- the venue ---------------------------------------------------------------------------------

    order_latency_ms: float = setting(
        15.0, "From us to the matching engine, mean.", unit="ms", at_least=0, at_most=60_000
    )
    order_latency_jitter_ms: float = setting(
        5.0, "Orders take the mean plus or minus up to this.", unit="ms", at_least=0, at_most=60_000
    )
    answer_latency_ms: float = setting(
        15.0, "From the matching engine to us, mean.", unit="ms", at_least=0, at_most=60_000
    )
    answer_latency_jitter_ms: float = setting(
        5.0, "Answers take the mean plus or minus up to this.", unit="ms", at_least=0, at_most=60_000
    )
    feed_latency_ms: float = setting(
        20.0, "From the matching engine to our market data, mean.", unit="ms", at_least=0, at_most=60_000
    )
    feed_latency_jitter_ms: float = setting(
        5.0, "Market data takes the mean plus or minus up to this.", unit="ms", at_least=0, at_most=60_000
    )
    feed_batch_ms: float = setting(
        50.0,
        "Book changes are published this often, at least 1 ms apart; 0 publishes each.",
        unit="ms",
        at_least=0,
        at_most=60_000,
    )
    rate_limit_per_s: int = setting(
        30,
        "Orders the venue takes from us in any second; the next one is rejected.",
        unit="per s",
        at_least=1,
    )
    reject_probability: float = setting(
        0.0, "Chance that the venue refuses an order for no reason of ours.", at_least=0, at_most=1
    )
    duplicate_answer: str = setting(
        ANSWER_ORIGINAL,
        "What a client id that was used before is answered with: the original order, or a reject.",
        choices=(ANSWER_ORIGINAL, ANSWER_REJECT),
    )

    def violation(self) -> str | None:
        """The first rule between fields that is broken."""
        for path in ("order", "answer", "feed"):
            jitter = getattr(self, f"{path}_latency_jitter_ms")
            if jitter > getattr(self, f"{path}_latency_ms"):
                return (
                    f"simulator.{path}_latency_jitter_ms = {jitter}: must be at most "
                    f"simulator.{path}_latency_ms, or an answer could come before its question"
                )
        if 0 < self.feed_batch_ms < 1:
            return f"simulator.feed_batch_ms = {self.feed_batch_ms}: must be 0, or at least 1 ms"
        if self.informed_share + self.sweep_share > 1:
            return (
                f"simulator.informed_share = {self.informed_share} and simulator.sweep_share = "
                f"{self.sweep_share}: together they must be at most 1"
            )
        try:
            at = datetime.fromisoformat(self.start_time)
        except ValueError:
            at = None
        if at is None or at.utcoffset() != timedelta(0) or at < _EPOCH:
            return (
                f"simulator.start_time = {self.start_time!r}: must be a UTC time such as 2026-01-05T09:00:00Z"
            )
        return None

    def for_product(self, reference_price: float, size_scale: float) -> SimulatorSettings:
        """These settings in a product's own terms: its start price, and base sizes times `size_scale`."""
        return replace(
            self,
            start_price=reference_price if self.start_price is None else self.start_price,
            liquidity_size_base=self.liquidity_size_base * size_scale,
            order_size_base=self.order_size_base * size_scale,
        )

    @property
    def start_wall_ns(self) -> int:
        """`start_time` in nanoseconds since 1970-01-01 UTC."""
        return (datetime.fromisoformat(self.start_time) - _EPOCH) // timedelta(microseconds=1) * 1000
