"""The live check of a key: what a venue says of it, one finding after the other, and what they come to.

Nothing is asked that changes anything at the venue.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable
from typing import Final

from engine.commands.doctor_check import Check
from engine.commands.doctor_network import Resolve, Target, check_target, resolve
from engine.commands.doctor_venue import clock_check, rights_check
from engine.core.clock import Clock
from engine.core.errors import UsageError
from engine.credentials.desk import KIND_NAMES, Finding, Fitness, Verdict
from engine.exchange.coinbase.broker import AuthenticationError, Broker, BrokerError, Permissions
from engine.exchange.coinbase.keys import AdvancedKey, ApiKey, api_of
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.rest.brokers import broker_for
from engine.exchange.coinbase.tls import tls_context

NETWORK: Final = "network"
CLOCK: Final = "clock"
SIGNATURE: Final = "signature"
PERMISSIONS: Final = "permissions"
KEY_TYPE: Final = "key type"

_SOMETHING_ELSE: Final = frozenset({"NOT_FOUND", "HTTP_404", "UNREADABLE", "REDIRECT", "PROTOCOL"})
"""How an address answers that is not the API's."""
_LATER: Final = "look at https://status.coinbase.com, then check again"
_NOT_REACHED: Final = "not asked for: the venue is not reached"
_NOT_TAKEN: Final = "not asked for: the venue does not take the key"
_ECDSA: Final = "make an ECDSA key in the Coinbase Developer Platform, which is always taken"
_NAME: Final = re.compile(
    r"(?:organizations/[^/]+/apiKeys/)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I
)
_EXCHANGE_ADVICE: Final = {
    "INVALID_API_KEY": (
        "the venue does not know the key",
        "compare the key with the settings of Coinbase Exchange: is it still there, and copied whole? "
        "A key of Advanced Trade is not known here",
    ),
    "INVALID_SIGNATURE": (
        "the key is known, but the secret does not belong to it",
        "copy the secret again; it is shown once, so that a lost one means a new key",
    ),
    "INVALID_PASSPHRASE": (
        "the key is known, but the passphrase does not belong to it",
        "enter the passphrase that was chosen when the key was made; a forgotten one means a new key",
    ),
}


async def check_key(
    key: ApiKey, network: NetworkSettings, clock: Clock, *, resolve: Resolve = resolve, within_s: float = 5.0
) -> AsyncGenerator[Finding, None]:
    """Network, clock, signature, permissions, key type: each when it is known. `within_s` bounds each step
    of the way there. Raises nothing for what network or venue do."""
    api = api_of(key)
    endpoints = network.endpoints(api)
    target = Target("REST", endpoints.rest)
    try:
        tls = tls_context(network.ca_file)
    except UsageError as error:
        for finding in _unasked(key, Finding(NETWORK, Verdict.FAIL, str(error))):
            yield finding
        return
    reached = _finding(NETWORK, await check_target(target, tls, clock, resolve=resolve, within_s=within_s))
    broker = broker_for(
        api,
        endpoints,
        key,
        clock=clock,
        ca_file=network.ca_file,
        answer_timeout_s=network.answer_timeout_ms / 1_000,
    )
    try:
        reached = await _spoken_to(broker, target, reached)
        if reached.verdict is not Verdict.OK:
            for finding in _unasked(key, reached):
                yield finding
            return
        yield reached
        yield _finding(CLOCK, clock_check(broker.clock_offset_ns or 0))
        try:
            told = _taken(key, await broker.permissions())
        except BrokerError as error:
            told = _not_taken(key, error)
        for finding in told:
            yield finding
    finally:
        await broker.close()


async def _spoken_to(broker: Broker, target: Target, reached: Finding) -> Finding:
    """What is to be said of the network once the API was asked for its time."""
    if reached.verdict is not Verdict.OK:
        return reached
    try:
        await broker.open()
    except BrokerError as error:
        return Finding(NETWORK, Verdict.FAIL, str(error), _network_advice(error, target))
    return reached if target.is_secure else reached._replace(words=f"{reached.words}, without TLS")


def _finding(step: str, check: Check) -> Finding:
    return Finding(step, Verdict(check.verdict.value), check.words, check.advice)


def _unasked(key: ApiKey, reached: Finding) -> Iterable[Finding]:
    yield reached
    for step in (CLOCK, SIGNATURE, PERMISSIONS):
        yield Finding(step, Verdict.SKIPPED, _NOT_REACHED)
    yield Finding(KEY_TYPE, Verdict.SKIPPED, f"{_type_words(key)}; the venue was not asked about it")


def _taken(key: ApiKey, rights: Permissions) -> Iterable[Finding]:
    yield Finding(SIGNATURE, Verdict.OK, "the venue takes the key and what is signed with it")
    yield _finding(PERMISSIONS, rights_check(rights, must_trade=False))
    yield Finding(KEY_TYPE, Verdict.OK, _type_words(key))


def _not_taken(key: ApiKey, error: BrokerError) -> Iterable[Finding]:
    if not isinstance(error, AuthenticationError) or error.code == "CLOCK":
        # Nothing is said of the key: the venue fails, or the clock was set meanwhile.
        yield Finding(SIGNATURE, Verdict.SKIPPED, str(error), _LATER)
        yield Finding(PERMISSIONS, Verdict.SKIPPED, "not told: the venue did not answer")
        yield Finding(KEY_TYPE, Verdict.SKIPPED, f"{_type_words(key)}; the venue did not judge it")
        return
    if error.code == "PERMISSION":
        yield Finding(
            SIGNATURE, Verdict.WARN, "the venue knows the key, and does not let it look at the account"
        )
        yield Finding(
            PERMISSIONS,
            Verdict.FAIL,
            "the right to view is missing, or this machine is not on the key's list of addresses; "
            "the venue does not say which",
            "give the key the rights to view and trade, and put this machine's public address on its list",
        )
        yield Finding(KEY_TYPE, Verdict.OK, _type_words(key))
        return
    if isinstance(key, AdvancedKey):
        words, advice = _unauthorised(key)
    else:
        words, advice = _EXCHANGE_ADVICE.get(error.said, (str(error), "copy all three parts again"))
    yield Finding(SIGNATURE, Verdict.FAIL, words, advice)
    yield Finding(PERMISSIONS, Verdict.SKIPPED, _NOT_TAKEN)
    if key.algorithm == "EdDSA":
        yield Finding(KEY_TYPE, Verdict.WARN, f"{_type_words(key)}: not taken everywhere at Coinbase", _ECDSA)
    else:
        yield Finding(KEY_TYPE, Verdict.OK, _type_words(key))


def _unauthorised(key: AdvancedKey) -> tuple[str, str]:
    """Advanced Trade has one answer for every cause. What is known of the key tells the likeliest first."""
    causes = [
        "the private key belongs to another key, or was changed when it was copied: use the downloaded file",
        "the key was deleted or has expired",
        "this machine's public address is not on the key's list of addresses",
    ]
    if key.algorithm == "EdDSA":
        causes.insert(0, f"the key is Ed25519: {_ECDSA}")
    if not _NAME.fullmatch(key.name):
        causes.insert(
            0, "the name is no name of a key: it looks like organizations/.../apiKeys/... or is a bare id"
        )
    words = (
        'the venue does not take the key. It answers "Unauthorized" to every cause alike; it is not the '
        "clock, whose difference was measured and corrected for"
    )
    return words, "the likeliest first: " + "; ".join(causes)


def _network_advice(error: BrokerError, target: Target) -> str:
    if error.code in _SOMETHING_ELSE:
        return (
            f"something else answers at {target.address}: look at network.endpoint; on a network of others, "
            "log in to it first"
        )
    return _LATER


def _type_words(key: ApiKey) -> str:
    return f"{key.algorithm}, a key of {KIND_NAMES[api_of(key)]}"


def fitness(findings: Iterable[Finding]) -> Fitness:
    """What the findings of one check mean for saving the key."""
    verdicts = {finding.step: finding.verdict for finding in findings}
    asked = [verdicts.get(SIGNATURE, Verdict.SKIPPED), verdicts.get(PERMISSIONS, Verdict.SKIPPED)]
    if Verdict.FAIL in asked:
        return Fitness.REFUSED
    if Verdict.SKIPPED in asked:
        return Fitness.UNCHECKED
    return Fitness.GOOD if set(verdicts.values()) == {Verdict.OK} else Fitness.LIMITED
