"""How many requests may still be sent: token buckets by the venue's limits, with a reserve for cancels.

Cancels have a share of the private budget to themselves and may use the common one too; nothing else
touches theirs, so no number of orders or questions makes a cancel wait.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Final, NamedTuple

from engine.core.clock import Clock
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE

Sleep = Callable[[float], Awaitable[None]]

_NS: Final = 10**9
_BACKOFF_BASE_S: Final = 1.0
_BACKOFF_CAP_S: Final = 30.0
_LONGEST_PAUSE_S: Final = 600.0
_CANCEL_PAUSE_S: Final = 1.0
"""A limiter that refuses us holds up cancels for no longer: one try a second hammers nobody."""
_EPOCH_S: Final = 10**8
"""A reset time above this is a moment, one below it a number of seconds."""
_EPOCH_MS: Final = 10**11
"""A moment above this is told in milliseconds."""


class Purpose(enum.Enum):
    """What a request is for."""

    PUBLIC = "public"
    PRIVATE = "private"
    FILLS = "fills"
    ORDER = "order"
    CANCEL = "cancel"


class Limit(NamedTuple):
    """So many requests a second, and so many at once."""

    per_second: int
    burst: int


class Limits(NamedTuple):
    """The limits of one API. `reserve` is what of `private` is kept for cancels."""

    public: Limit
    private: Limit
    reserve: Limit
    fills: Limit | None


LIMITS: Final = {
    ADVANCED: Limits(Limit(10, 10), Limit(30, 30), Limit(6, 6), None),
    EXCHANGE: Limits(Limit(10, 15), Limit(15, 30), Limit(5, 10), Limit(10, 20)),
}


class Bucket:
    """A token bucket in integer time: `_free_ns` is when it would be full again but for its burst."""

    __slots__ = ("_burst_ns", "_free_ns", "_step_ns")

    def __init__(self, limit: Limit) -> None:
        self._step_ns = _NS // limit.per_second
        self._burst_ns = (limit.burst - 1) * self._step_ns
        self._free_ns: int | None = None

    def wait_ns(self, now_ns: int) -> int:
        """How long the next token is away; 0 when there is one."""
        return 0 if self._free_ns is None else max(0, self._free_ns - self._burst_ns - now_ns)

    def take(self, now_ns: int) -> None:
        """Take a token, also one that is still to come: whoever asks next waits behind it."""
        free_ns = now_ns if self._free_ns is None else max(self._free_ns, now_ns)
        self._free_ns = free_ns + self._step_ns

    def give_back(self) -> None:
        """A token that was taken is not used."""
        assert self._free_ns is not None
        self._free_ns -= self._step_ns


class RateBudget:
    """The budget of one account at one API."""

    def __init__(self, limits: Limits, clock: Clock, random: Random, *, sleep: Sleep = asyncio.sleep) -> None:
        self._clock = clock
        self._random = random
        self._sleep = sleep
        private, reserve = limits.private, limits.reserve
        common = Bucket(Limit(private.per_second - reserve.per_second, private.burst - reserve.burst))
        self._public = Bucket(limits.public)
        self._buckets: dict[Purpose, tuple[Bucket, ...]] = {
            Purpose.PUBLIC: (self._public,),
            Purpose.PRIVATE: (common,),
            Purpose.FILLS: (common,) if limits.fills is None else (common, Bucket(limits.fills)),
            Purpose.ORDER: (common,),
        }
        self._common = common
        self._reserve = Bucket(reserve)
        self._paused_until_ns: dict[bool, int] = {}
        """For public and private requests, by `is_public`."""
        self._refusals: dict[bool, int] = {}

    async def take(self, purpose: Purpose) -> None:
        """Wait for leave to send one request, however long that is."""
        wait_ns, buckets = self._outlook(purpose)
        await self._use(wait_ns, buckets)

    async def try_take(self, purpose: Purpose, within_s: float) -> float | None:
        """The same with a limit: None once leave is given; else, at once, the wait that would be too long."""
        wait_ns, buckets = self._outlook(purpose)
        if wait_ns > within_s * _NS:
            return wait_ns / _NS
        await self._use(wait_ns, buckets)
        return None

    def _outlook(self, purpose: Purpose) -> tuple[int, tuple[Bucket, ...]]:
        """How long leave for a request is away, and the buckets that give it."""
        now_ns = self._clock.monotonic_ns()
        buckets = self._cancel_bucket(now_ns) if purpose is Purpose.CANCEL else self._buckets[purpose]
        return max(self.pause_ns(purpose), *(bucket.wait_ns(now_ns) for bucket in buckets)), buckets

    async def _use(self, wait_ns: int, buckets: tuple[Bucket, ...]) -> None:
        now_ns = self._clock.monotonic_ns()
        for bucket in buckets:
            bucket.take(now_ns)
        if not wait_ns:
            return
        try:
            await self._sleep(wait_ns / _NS)
        except BaseException:
            for bucket in buckets:
                bucket.give_back()
            raise

    def pause_ns(self, purpose: Purpose) -> int:
        """For how long the venue's limiter still wants to be left alone."""
        until_ns = self._paused_until_ns.get(purpose is Purpose.PUBLIC)
        if until_ns is None:
            return 0
        left_ns = max(0, until_ns - self._clock.monotonic_ns())
        return min(left_ns, int(_CANCEL_PAUSE_S * _NS)) if purpose is Purpose.CANCEL else left_ns

    def answered(self, purpose: Purpose, status: int, headers: Mapping[str, str]) -> float | None:
        """An answer came: what status and headers say of the limits. Seconds to wait after a refusal.

        A refusal without a time is followed by a back-off with full jitter that doubles with each one.
        """
        is_public = purpose is Purpose.PUBLIC
        told_s = self._told_s(headers)
        if status != 429:
            self._refusals.pop(is_public, None)
            if headers.get("x-ratelimit-remaining", "").strip() == "0" and told_s is not None:
                self._pause(is_public, told_s)
            return None
        step = self._refusals.get(is_public, 0)
        self._refusals[is_public] = step + 1
        ceiling_s = min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2 ** min(step, 10))
        wait_s = (told_s or 0.0) + self._random.uniform(0.0, ceiling_s)
        self._pause(is_public, wait_s)
        return wait_s

    def _cancel_bucket(self, now_ns: int) -> tuple[Bucket]:
        reserve, common = self._reserve, self._common
        return (reserve if reserve.wait_ns(now_ns) <= common.wait_ns(now_ns) else common,)

    def _pause(self, is_public: bool, wait_s: float) -> None:
        until_ns = self._clock.monotonic_ns() + int(wait_s * _NS)
        self._paused_until_ns[is_public] = max(until_ns, self._paused_until_ns.get(is_public, until_ns))

    def _told_s(self, headers: Mapping[str, str]) -> float | None:
        told = _seconds(headers.get("Retry-After", ""))
        if told is None:
            told = _seconds(headers.get("x-ratelimit-reset", ""))
            if told is not None and told > _EPOCH_S:
                moment_s = told / 1_000 if told > _EPOCH_MS else told
                told = max(0.0, moment_s - self._clock.wall_ns() / _NS)
        return None if told is None else min(told, _LONGEST_PAUSE_S)


def _seconds(text: str) -> float | None:
    """A header's number of seconds; None for none (also for a date, which no limiter of the venue sends)."""
    plain = text.strip()
    if not (plain.isascii() and plain.replace(".", "", 1).isdigit() and len(plain) <= 20):
        return None
    return float(plain)
