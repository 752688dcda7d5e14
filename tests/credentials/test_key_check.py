"""The live check of a key against the local venue: every way to go wrong has words of its own."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from http_kit import Answer, HttpServer, script
from local_venue.certificates import bad_context
from tls_kit import tls_server

from engine.commands.key_check import check_key, fitness
from engine.core.clock import ManualClock, SystemClock
from engine.credentials.desk import Finding, Fitness, Verdict
from engine.exchange.coinbase.keys import ApiKey, parse_key_document
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE, NetworkSettings
from engine.local_venue.keys import Algorithm, CdpKey, ExchangeKey, Rights, make_cdp_key, make_exchange_key
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import VenueSettings
from engine.local_venue.tls import server_context, tls_files

STEPS = ["network", "clock", "signature", "permissions", "key type"]
OK, WARN, FAIL, SKIPPED = Verdict
CDP = make_cdp_key()
EDWARDS = make_cdp_key(Algorithm.EDDSA)
INSTITUTION = make_exchange_key()


@pytest.fixture
async def venue() -> AsyncIterator[LocalVenue]:
    async with LocalVenue(cdp_keys=(CDP, EDWARDS), exchange_keys=(INSTITUTION,)) as venue:
        yield venue


def _as_ours(key: CdpKey | ExchangeKey) -> ApiKey:
    return parse_key_document(key.file_content().encode(), ADVANCED if isinstance(key, CdpKey) else EXCHANGE)


async def _check(
    key: CdpKey | ExchangeKey, url: str, ca_file: Path | None = None
) -> tuple[dict[str, Finding], Fitness]:
    network = NetworkSettings(endpoint=url, ca_file=None if ca_file is None else str(ca_file))
    ours = _as_ours(key)
    findings = [finding async for finding in check_key(ours, network, SystemClock())]
    assert [finding.step for finding in findings] == STEPS
    for secret in _secrets(key):
        assert not any(secret in text for finding in findings for text in (finding.words, finding.advice))
    return {finding.step: finding for finding in findings}, fitness(findings)


def _secrets(key: CdpKey | ExchangeKey) -> tuple[str, ...]:
    return (key.private_text,) if isinstance(key, CdpKey) else (key.secret, key.passphrase)


def _verdicts(found: dict[str, Finding]) -> list[Verdict]:
    return [found[step].verdict for step in STEPS]


@pytest.mark.parametrize("key", [CDP, EDWARDS], ids=["ES256", "EdDSA"])
async def test_a_good_key_of_advanced_trade(venue: LocalVenue, key: CdpKey) -> None:
    found, worth = await _check(key, venue.url)
    assert _verdicts(found) == [OK] * 5
    assert worth is Fitness.GOOD
    assert "without TLS" in found["network"].words
    assert found["permissions"].words == "view yes, trade yes, transfer no"
    assert found["key type"].words == f"{key.algorithm}, a key of Coinbase Advanced Trade"


async def test_a_good_key_of_exchange_whose_rights_the_venue_does_not_tell(venue: LocalVenue) -> None:
    found, worth = await _check(INSTITUTION, venue.url)
    assert _verdicts(found) == [OK, OK, OK, WARN, OK]
    assert worth is Fitness.LIMITED
    assert "does not tell whether this key may move money" in found["permissions"].words
    assert found["key type"].words == "HMAC-SHA256, a key of Coinbase Exchange"


async def test_a_good_key_over_tls(tmp_path: Path) -> None:
    files = tls_files(tmp_path, SystemClock())
    async with LocalVenue(cdp_keys=(CDP,), ssl_context=server_context(files)) as venue:
        found, worth = await _check(CDP, venue.url, files.ca)
    assert worth is Fitness.GOOD
    assert "TLS 1.3" in found["network"].words
    assert "without TLS" not in found["network"].words


async def test_wrong_key_that_the_venue_does_not_know(venue: LocalVenue) -> None:
    found, worth = await _check(make_cdp_key(), venue.url)
    assert _verdicts(found) == [OK, OK, FAIL, SKIPPED, OK]
    assert worth is Fitness.REFUSED
    assert '"Unauthorized" to every cause alike' in found["signature"].words
    assert "the likeliest first: the private key belongs to another key" in found["signature"].advice

    found, worth = await _check(make_exchange_key(), venue.url)
    assert worth is Fitness.REFUSED
    assert found["signature"].words == "the venue does not know the key"


async def test_a_name_that_is_a_nickname_is_the_likeliest_cause(venue: LocalVenue) -> None:
    found, _ = await _check(replace(CDP, name="my trading key"), venue.url)
    assert "the likeliest first: the name is no name of a key" in found["signature"].advice


async def test_wrong_secret_of_another_key(venue: LocalVenue) -> None:
    found, worth = await _check(replace(CDP, private_text=make_cdp_key().private_text), venue.url)
    assert worth is Fitness.REFUSED
    assert "the private key belongs to another key" in found["signature"].advice

    found, worth = await _check(replace(INSTITUTION, secret=make_exchange_key().secret), venue.url)
    assert worth is Fitness.REFUSED
    assert found["signature"].words == "the key is known, but the secret does not belong to it"
    assert found["permissions"].verdict is SKIPPED


async def test_wrong_passphrase(venue: LocalVenue) -> None:
    found, worth = await _check(replace(INSTITUTION, passphrase="another one"), venue.url)
    assert worth is Fitness.REFUSED
    assert found["signature"].words == "the key is known, but the passphrase does not belong to it"
    assert "chosen when the key was made" in found["signature"].advice


async def test_wrong_type_of_key_ed25519_where_it_is_not_taken(venue: LocalVenue) -> None:
    found, worth = await _check(make_cdp_key(Algorithm.EDDSA), venue.url)
    assert worth is Fitness.REFUSED
    assert "the likeliest first: the key is Ed25519: make an ECDSA key" in found["signature"].advice
    assert found["key type"].verdict is WARN
    assert "not taken everywhere" in found["key type"].words
    assert "make an ECDSA key" in found["key type"].advice


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "words"),
    [(90, FAIL, "behind the venue's clock"), (-40, FAIL, "ahead of"), (0.5, WARN, "it is corrected for")],
)
async def test_wrong_clock_with_a_good_key(ahead_s: float, verdict: Verdict, words: str) -> None:
    clock = _Shifted(int(ahead_s * 1e9))
    async with LocalVenue(cdp_keys=(CDP,), exchange_keys=(INSTITUTION,), clock=clock) as venue:
        for key in (CDP, INSTITUTION):
            found, worth = await _check(key, venue.url)
            assert found["clock"].verdict is verdict
            assert words in found["clock"].words
            assert "timedatectl set-ntp true" in found["clock"].advice
            assert found["signature"].verdict is OK
            assert worth is Fitness.LIMITED


class _Shifted(SystemClock):
    """The machine's clock, wrong by a fixed time."""

    __slots__ = ("_by_ns",)

    def __init__(self, by_ns: int) -> None:
        self._by_ns = by_ns

    def wall_ns(self) -> int:
        return super().wall_ns() + self._by_ns


async def test_missing_right_to_trade() -> None:
    key = make_cdp_key(rights=Rights(trade=False))
    async with LocalVenue(cdp_keys=(key,)) as venue:
        found, worth = await _check(key, venue.url)
    assert _verdicts(found) == [OK, OK, OK, WARN, OK]
    assert worth is Fitness.LIMITED
    assert "enough to look, not to trade" in found["permissions"].words


@pytest.mark.parametrize(
    "key", [make_cdp_key(rights=Rights(view=False)), make_exchange_key(Rights(view=False))]
)
async def test_missing_right_to_view(key: CdpKey | ExchangeKey) -> None:
    cdp, exchange = ((key,), ()) if isinstance(key, CdpKey) else ((), (key,))
    async with LocalVenue(cdp_keys=cdp, exchange_keys=exchange) as venue:
        found, worth = await _check(key, venue.url)
    assert _verdicts(found) == [OK, OK, WARN, FAIL, OK]
    assert worth is Fitness.REFUSED
    assert (
        "the right to view is missing, or this machine is not on the key's list" in found["permissions"].words
    )


async def test_a_right_to_move_money_out() -> None:
    key = make_cdp_key(rights=Rights(transfer=True))
    async with LocalVenue(cdp_keys=(key,)) as venue:
        found, worth = await _check(key, venue.url)
    assert _verdicts(found) == [OK, OK, OK, FAIL, OK]
    assert worth is Fitness.REFUSED
    assert "may move money out of the account, which trading never needs" in found["permissions"].words
    assert "delete this one" in found["permissions"].advice


@pytest.mark.parametrize("key", [CDP, INSTITUTION])
async def test_venue_down(key: CdpKey | ExchangeKey) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found, worth = await _check(key, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert _verdicts(found) == [FAIL, SKIPPED, SKIPPED, SKIPPED, SKIPPED]
    assert worth is Fitness.UNCHECKED
    assert "TCP failed" in found["network"].words
    assert "network.endpoint" in found["network"].advice


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    context, trusted = bad_context(tmp_path, "self-signed")
    with tls_server(context) as port:
        found, worth = await _check(CDP, f"https://localhost:{port}", trusted)
    assert found["network"].verdict is FAIL
    assert "TLS failed" in found["network"].words
    assert "--ca-file" in found["network"].advice
    assert worth is Fitness.UNCHECKED


async def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    found, worth = await _check(CDP, "https://localhost:1", tmp_path / "none.pem")
    assert "network.ca_file" in found["network"].words
    assert worth is Fitness.UNCHECKED


@pytest.mark.parametrize(
    "answer",
    [Answer(200, b"<html>log in</html>"), Answer(404, b"<html>"), Answer(302, b"", {"Location": "/login"})],
    ids=["log-in page", "another server", "redirect"],
)
async def test_something_else_answers(answer: Answer) -> None:
    async with HttpServer(script(answer)) as server:
        found, worth = await _check(CDP, server.url)
        assert not any("authorization" in request.headers for request in server.requests)
    assert _verdicts(found) == [FAIL, SKIPPED, SKIPPED, SKIPPED, SKIPPED]
    assert worth is Fitness.UNCHECKED
    assert f"something else answers at {server.url}" in found["network"].advice


async def test_maintenance_says_nothing_of_the_key() -> None:
    now_ns = SystemClock().wall_ns()
    time = Answer(200, {"iso": "", "epochSeconds": str(now_ns // 10**9), "epochMillis": str(now_ns // 10**6)})
    async with HttpServer(
        lambda request: time if request.path.endswith("/time") else Answer(503, {"message": "maintenance"})
    ) as server:
        found, worth = await _check(CDP, server.url)
    assert [found[step].verdict for step in STEPS[2:]] == [SKIPPED, SKIPPED, SKIPPED]
    assert "maintained" in found["signature"].words
    assert worth is Fitness.UNCHECKED


async def test_a_clock_that_was_set_during_the_check_says_nothing_of_the_key(venue: LocalVenue) -> None:
    stands = ManualClock(wall_ns=SystemClock().wall_ns())
    findings = []
    async with LocalVenue(VenueSettings(), exchange_keys=(INSTITUTION,), clock=stands) as late:
        async for finding in check_key(
            _as_ours(INSTITUTION), NetworkSettings(endpoint=late.url), SystemClock()
        ):
            findings.append(finding)
            if finding.step == "clock":
                stands.advance(100 * 10**9)
    assert findings[2].verdict is SKIPPED
    assert "the clock is off" in findings[2].words
    assert fitness(tuple(findings)) is Fitness.UNCHECKED


async def test_an_abandoned_check_lets_go_of_its_connections(venue: LocalVenue) -> None:
    check = check_key(_as_ours(CDP), NetworkSettings(endpoint=venue.url), SystemClock())
    assert (await anext(check)).step == "network"
    await check.aclose()  # an open connection would be a ResourceWarning, which is an error here


async def test_a_check_that_was_not_finished_is_unchecked() -> None:
    assert fitness(()) is Fitness.UNCHECKED
    assert fitness((Finding("network", OK, ""), Finding("signature", OK, ""))) is Fitness.UNCHECKED
