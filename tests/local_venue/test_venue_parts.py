"""Keys, rates, recordings that cannot be played, and the separation from the client."""

from __future__ import annotations

import ast
import gzip
import json
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from local_venue.venue_kit import NOW_NS

import engine.local_venue
from engine.core.clock import ManualClock
from engine.core.errors import RecordingError, UsageError
from engine.local_venue.capture_codec import moved, wall_clock_ns
from engine.local_venue.core import VenueCore
from engine.local_venue.keys import Algorithm, make_cdp_key, make_exchange_key, write_key
from engine.local_venue.money import plain, quotient, rfc3339
from engine.local_venue.rate_limits import RateLimiter
from engine.local_venue.settings import Limits, VenueSettings

D = Decimal


def test_the_venue_imports_nothing_of_the_client() -> None:
    """One misreading of the protocol must not hide in both."""
    folder = Path(engine.local_venue.__file__).parent
    files = list(folder.rglob("*.py"))
    assert len(files) > 20
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith("engine.exchange.coinbase"), (file, name)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_key_is_written_as_the_file_that_is_downloaded(tmp_path: Path, algorithm: Algorithm) -> None:
    key = make_cdp_key(algorithm)
    path = write_key(tmp_path / "keys", key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = json.loads(path.read_text())
    assert list(content) == ["name", "privateKey"]
    assert content["name"].startswith("organizations/")
    if algorithm is Algorithm.ES256:
        assert content["privateKey"].startswith("-----BEGIN EC PRIVATE KEY-----\n")
        load_pem_private_key(content["privateKey"].encode(), None)
    assert content["privateKey"][30:60] not in repr(key)


def test_an_exchange_key_is_written_and_not_shown(tmp_path: Path) -> None:
    key = make_exchange_key()
    content = json.loads(write_key(tmp_path, key).read_text())
    assert content == {"key": key.key, "secret": key.secret, "passphrase": key.passphrase}
    assert key.secret not in repr(key)
    assert key.passphrase not in repr(key)


def test_a_bucket_fills_with_time_and_never_beyond_its_burst() -> None:
    clock = ManualClock()
    limiter = RateLimiter(Limits(D("0.5"), 2), clock)
    assert [limiter.take("a") for _ in range(3)] == [True, True, False]
    assert limiter.take("b")
    clock.advance(1_999_999_999)
    assert not limiter.take("a")
    clock.advance(1)
    assert limiter.take("a")
    clock.advance(3_600 * 10**9)
    assert [limiter.take("a") for _ in range(3)] == [True, True, False]
    assert limiter.wait_s == 2


def write_capture(path: Path, *frames: Any) -> Path:
    lines = [json.dumps({"ts": number, "dir": "recv", "raw": frame}) for number, frame in enumerate(frames)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def open_capture(path: Path) -> VenueCore:
    return VenueCore(VenueSettings(capture=path, capture_speed=None), ManualClock(0, NOW_NS))


def book_frame(quantity: str, side: str = "bid") -> str:
    at = "2026-08-09T21:05:48Z"
    update = {"side": side, "event_time": at, "price_level": "1.5", "new_quantity": quantity}
    event = {"type": "snapshot", "product_id": "BTC-USD", "updates": [update]}
    frame = {"channel": "l2_data", "timestamp": at, "sequence_num": 0, "events": [event]}
    return json.dumps(frame, separators=(",", ":"))


def test_a_small_recording_is_played(tmp_path: Path) -> None:
    core = open_capture(write_capture(tmp_path / "a.jsonl.gz", book_frame("0.25")))
    assert list(core.products) == ["BTC-USD"]
    core.poll()
    assert not core.tape("BTC-USD").has_book
    core.begin()
    core.poll()
    assert core.tape("BTC-USD").levels.bids() == [(150, 25_000_000)]


def test_a_recording_of_another_api_is_refused(tmp_path: Path) -> None:
    frame = '{"type":"ticker","sequence":1,"product_id":"BTC-USD","price":"1"}'
    with pytest.raises(RecordingError, match="Advanced Trade"):
        open_capture(write_capture(tmp_path / "a.jsonl.gz", frame))


@pytest.mark.parametrize("quantity", ["0.000000001", "x", "", "-1", "1_0", "NaN"])
def test_a_number_that_the_product_cannot_have_stops_the_recording(tmp_path: Path, quantity: str) -> None:
    core = open_capture(write_capture(tmp_path / "a.jsonl.gz", book_frame("1"), book_frame(quantity)))
    core.begin()
    with pytest.raises(RecordingError):
        core.poll()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.jsonl.gz", book_frame("1"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RecordingError, match=r"a\.jsonl\.gz"):
        open_capture(path)
    with pytest.raises(RecordingError):
        open_capture(tmp_path / "missing.jsonl")


def test_an_unknown_product_is_refused() -> None:
    with pytest.raises(UsageError, match="GIBBERISH-USD"):
        VenueCore(VenueSettings(products=("GIBBERISH-USD",)), ManualClock(0, NOW_NS))


def test_numbers_and_times_are_written_plainly() -> None:
    assert [plain(D(text)) for text in ("1E-8", "100", "1.50", "-0", "0E-12", "1E+3")] == [
        "0.00000001",
        "100",
        "1.5",
        "0",
        "0",
        "1000",
    ]
    assert quotient(D(2), D(3), 4) == D("0.6666")
    assert quotient(D(2), D(0), 4) == 0
    assert rfc3339(NOW_NS + 123_456_789, 9) == "2026-09-30T02:37:29.421456789Z"
    assert rfc3339(NOW_NS, 0) == "2026-09-30T02:37:29Z"
    assert moved("2026-08-09T23:59:59.5Z", 600_000_000) == "2026-08-10T00:00:00.1Z"
    assert wall_clock_ns("1970-01-01T00:00:01Z") == 10**9
