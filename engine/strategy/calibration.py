"""What the models are calculated with: measured in the market where that is sound, else as configured."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from engine.core.volatility import Volatility
from engine.strategy.explain import number_text
from engine.strategy.fill_intensity import FillIntensity
from engine.strategy.model_settings import ModelSettings

LEAST_RETURNS: Final = 10
"""Of a second each, before the volatility is believed."""
LEAST_R_SQUARED: Final = 0.5
"""A worse fit says nothing about the market."""

LEAST_A_PER_S: Final = 1e-6
MOST_A_PER_S: Final = 1e6
MOST_K_PER_TICK: Final = 1e6
"""What may be configured; a market beyond that was not measured but misread."""
NOTICEABLE: Final = 0.01
"""As a share."""

_MEASURED: Final = "measured"
_DEFAULT_SIGMA_BP: Final = 0.5
_DEFAULT_K_PER_BP: Final = 0.2
# From % per √minute to a share of the mid per √s.
_PER_SQRT_S: Final = 0.01 / math.sqrt(60)


class Calibrated(msgspec.Struct, frozen=True):
    """The parameters in force, per tick and order unit, and where they come from."""

    gamma_per_tick: float
    sigma_ticks_sqrt_s: float
    A_per_s: float
    k_per_tick: float
    sigma_source: str
    fill_source: str

    def differs_from(self, other: Calibrated) -> bool:
        """True where a parameter is noticeably another, or comes from elsewhere: a table costs more to make
        than a hundredth of a parameter changes."""
        return self._is_measured() != other._is_measured() or any(
            abs(own - its) > NOTICEABLE * its
            for own, its in zip(self._numbers(), other._numbers(), strict=True)
        )

    def known_as(self, other: Calibrated) -> Calibrated:
        """These parameters with the sources of the other's."""
        return msgspec.structs.replace(self, sigma_source=other.sigma_source, fill_source=other.fill_source)

    def _numbers(self) -> tuple[float, ...]:
        return self.gamma_per_tick, self.sigma_ticks_sqrt_s, self.A_per_s, self.k_per_tick

    def _is_measured(self) -> tuple[bool, bool]:
        return self.sigma_source.startswith(_MEASURED), self.fill_source.startswith(_MEASURED)


def calibrated(
    settings: ModelSettings, now_ns: int, mid_ticks: float, volatility: Volatility, fills: FillIntensity
) -> Calibrated:
    """The parameters of this moment, for a mid in ticks. Every source is a text for people."""
    ticks_per_bp = mid_ticks * 1e-4
    gamma = float(settings.gamma_per_bp) / ticks_per_bp
    sigma, sigma_source = _sigma(settings, mid_ticks, volatility)
    intensity, k, fill_source = _intensity(settings, now_ns, ticks_per_bp, fills)
    return Calibrated(gamma, sigma, intensity, k, sigma_source, fill_source)


def _sigma(settings: ModelSettings, mid_ticks: float, volatility: Volatility) -> tuple[float, str]:
    measured = volatility.value * _PER_SQRT_S * mid_ticks
    if settings.calibrate and volatility.count >= LEAST_RETURNS and measured > 0:
        return measured, f"{_MEASURED} over {volatility.count} s"
    given = settings.sigma_ticks_sqrt_s
    sigma = _DEFAULT_SIGMA_BP * mid_ticks * 1e-4 if given is None else float(given)
    if not settings.calibrate:
        return sigma, "configured"
    why = "the mid did not move" if volatility.count >= LEAST_RETURNS else f"{volatility.count} s are too few"
    return sigma, f"configured, {why}"


def _intensity(
    settings: ModelSettings, now_ns: int, ticks_per_bp: float, fills: FillIntensity
) -> tuple[float, float, str]:
    """A, k and their source."""
    given = settings.k_per_tick
    k = _DEFAULT_K_PER_BP / ticks_per_bp if given is None else float(given)
    configured = float(settings.A_per_s), k
    if not settings.calibrate:
        return *configured, "configured"
    window, least = settings.calib_window_s, settings.calib_min_fills
    count = fills.count(now_ns, window)
    if count < least:
        return *configured, f"configured, {count} trades in {window} s of {least} needed"
    fit = fills.fit(now_ns, window)
    if fit is None:
        return *configured, f"configured, the depths of {count} trades do not differ enough"
    found = f"R² {fit.r_squared:.3g}, {count} trades in {fit.window_s:.0f} s"
    is_possible = 0 < fit.k_per_tick <= MOST_K_PER_TICK and LEAST_A_PER_S <= fit.A_per_s <= MOST_A_PER_S
    if not is_possible or fit.r_squared < LEAST_R_SQUARED:
        return (
            *configured,
            f"configured, the fit is bad: A {fit.A_per_s:.3g}, k {fit.k_per_tick:.3g}, {found}",
        )
    return fit.A_per_s, fit.k_per_tick, f"{_MEASURED}, {found}"


def gamma_words(settings: ModelSettings) -> str:
    """The risk aversion as it is configured."""
    return f"γ {number_text(settings.gamma_per_bp)} per unit and bp"
