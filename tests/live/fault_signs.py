"""What shows that the faults of the table were noticed."""

from __future__ import annotations

from collections.abc import Callable

from fault_bench import FaultBench

Sign = Callable[[FaultBench], object]


def not_live(bench: FaultBench) -> bool:
    """The book is not believed any more."""
    return not bench.is_live


def told(*codes: str) -> Sign:
    """People were told so."""
    return lambda bench: bench.was_told(*codes)


def held(code: str) -> Sign:
    """Trading is kept back for this."""
    return lambda bench: bench.restrained_by(code)


def doubted(bench: FaultBench) -> bool:
    """An order is uncertain."""
    return bench.trader.orders.has_uncertain


def counted(field: str, least: int = 1) -> Sign:
    """The feed has counted so many more of it since the fault began."""
    return lambda bench: bench.counted(field) >= least


def struck(bench: FaultBench) -> bool:
    """The venue has committed it."""
    return bench.plan.strike_count > 0


def reconnected(bench: FaultBench) -> bool:
    """Market data is on another connection."""
    return bench.counted("reconnects") >= 1


def halted(bench: FaultBench) -> bool:
    """No order leaves until a person acts."""
    return bench.is_halted


def one_try(bench: FaultBench) -> bool:
    """It was tried once, and not again."""
    return bench.tries == 1


def storm_contained(bench: FaultBench) -> bool:
    """Not more than ten attempts a minute."""
    return 2 < bench.most_tries_a_minute <= 10


def external_is_left(bench: FaultBench) -> bool:
    """The order of the other front end is where it was."""
    return any(not order.client_order_id for order in bench.venue.core.live_orders())
