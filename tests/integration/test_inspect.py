"""`inspect` on recordings: the answers that are known for them, and every way of damaging them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.commands.inspect import Inspection, inspect, inspection_text
from engine.core.errors import RecordingError, UsageError

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
ADVANCED = FIXTURES / "coinbase_advanced.jsonl"
EXCHANGE = FIXTURES / "coinbase_exchange.jsonl"
FULL = FIXTURES / "coinbase_full.jsonl"
LEVEL3 = FIXTURES / "coinbase_full_level3.json"

CAPTURE = "advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
L3_CAPTURE = "exchange_full_l3_btcusd_20160312_13s.jsonl.gz"
L3_SNAPSHOT = "exchange_full_l3_btcusd_20160312_13s_snapshot.json.gz"
LEVEL_CAPTURE = "exchange_ws_20210417_6products.jsonl.gz"
MATCH_CAPTURE = "exchange_matches_20250822_btc_ltc.jsonl.gz"


def states(report: Inspection) -> dict[str, str]:
    return {product: entry["state"] for product, entry in report["products"].items()}


def counts(report: Inspection) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key not in ("v", "products")}


def expected_counts(**changed: int) -> dict[str, int]:
    names = ("frames", "gaps", "duplicates", "malformed", "errors", "unknown", "reconnects")
    return {**dict.fromkeys(names, 0), **changed}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# -- our own small recordings --------------------------------------------------------------------


def test_advanced_recording() -> None:
    report = inspect(ADVANCED, depth=2)
    assert report["v"] == 1
    assert counts(report) == expected_counts(frames=14)
    assert report["products"]["BTC-USD"] == {
        "state": "live",
        "best_bid": "99.98",
        "best_bid_size": "1.5",
        "best_ask": "100.01",
        "best_ask_size": "0.75",
        "bid_levels": 3,
        "ask_levels": 3,
        "sum_bid_size": "8.5",
        "sum_ask_size": "1.00000001",
        "book_sha256": sha256(
            "b 99.98 1.5\nb 99.97 4\nb 99.5 3\n"
            "a 100.01 0.75\na 100.02 0.25\na 9999999999999999.99 0.00000001\n"
        ),
        "crossed": 0,
        "trades": {
            "count": 2,
            "unique": 4,
            "volume": "0.625",
            "notional": "62.49125",
            "taker_buy_volume": "0.125",
            "taker_sell_volume": "0.5",
        },
        "top_bids": [["99.98", "1.5"], ["99.97", "4"]],
        "top_asks": [["100.01", "0.75"], ["100.02", "0.25"]],
    }
    eth = report["products"]["ETH-USD"]
    assert eth["book_sha256"] == sha256("b 10.01 0.1\na 10.04 3\n")
    assert (eth["state"], eth["trades"]["taker_buy_volume"]) == ("live", "0.2")


def test_exchange_recording() -> None:
    report = inspect(EXCHANGE)
    assert counts(report) == expected_counts(frames=9)
    product = report["products"]["SKL-BTC"]
    assert product["state"] == "live"
    assert product["book_sha256"] == sha256(
        "b 0.00001304 2.5\nb 0.00001303 1249.9\na 0.00001305 1800.4\na 0.00001306 660.5\n"
    )
    assert product["trades"] == {
        "count": 2,
        "unique": 3,
        "volume": "19.5",
        "notional": "0.00025445",
        "taker_buy_volume": "17",
        "taker_sell_volume": "2.5",
    }


def test_full_channel_recording() -> None:
    report = inspect(FULL, snapshot=LEVEL3)
    assert counts(report) == expected_counts(frames=7)
    product = report["products"]["BTC-USD"]
    assert (product["state"], product["open_orders"]) == ("live", 4)
    assert product["book_sha256"] == sha256("b 412.96 0.6\nb 412.9 1\na 413.05 0.25\na 413.2 3\n")
    assert product["trades"]["taker_sell_volume"] == "0.4"


def test_full_channel_without_its_snapshot_has_no_book() -> None:
    report = inspect(FULL)
    assert states(report) == {"BTC-USD": "stale"}
    assert report["products"]["BTC-USD"]["best_bid"] is None


def test_the_text_says_what_the_report_says() -> None:
    text = inspection_text(inspect(ADVANCED, depth=1))
    assert text.startswith("14 frames: 0 gaps")
    assert "BTC-USD  LIVE\n  bid 99.98 x 1.5   ask 100.01 x 0.75" in text
    assert "4 open orders" in inspection_text(inspect(FULL, snapshot=LEVEL3))


def test_one_product_of_many() -> None:
    assert states(inspect(ADVANCED, products=["ETH-USD"])) == {"ETH-USD": "live"}


def test_questions_that_cannot_be_answered(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'DOGE-USD'; it holds: BTC-USD, ETH-USD"):
        inspect(ADVANCED, products=["DOGE-USD"])
    with pytest.raises(UsageError, match="--depth -1"):
        inspect(ADVANCED, depth=-1)
    with pytest.raises(UsageError, match="exactly one product"):
        inspect(ADVANCED, snapshot=LEVEL3)
    with pytest.raises(UsageError, match=r"none\.json: cannot be opened"):
        inspect(FULL, snapshot=tmp_path / "none.json")
    other = tmp_path / "other.json"
    other.write_text("{}")
    with pytest.raises(RecordingError, match="not an order-by-order book of BTC-USD"):
        inspect(FULL, snapshot=other)
    with pytest.raises(UsageError, match="not a product list"):
        inspect(ADVANCED, product_file=other)
    with pytest.raises(UsageError, match=r"none\.jsonl: cannot be opened"):
        inspect(tmp_path / "none.jsonl")


def test_increments_from_a_product_list(tmp_path: Path) -> None:
    body = {
        "products": [{"product_id": "BTC-USD", "base_increment": "0.00000001", "quote_increment": "0.01"}]
    }
    path = tmp_path / "products.json"
    path.write_text(json.dumps(body))
    report = inspect(ADVANCED, product_file=path)
    assert list(report["products"]) == ["BTC-USD"]
    assert (
        report["products"]["BTC-USD"]["book_sha256"]
        == inspect(ADVANCED)["products"]["BTC-USD"]["book_sha256"]
    )
    assert report["unknown"] == 4, "three book frames and a trade of ETH-USD"


# -- damaged recordings --------------------------------------------------------------------------


class Cutter:
    """Writes recordings made of a recording's lines."""

    def __init__(self, source: Path, folder: Path) -> None:
        body = source.read_bytes()
        text = (gzip.decompress(body) if source.suffix == ".gz" else body).decode()
        self.lines = text.rstrip("\n").split("\n")
        self.received = [n for n, line in enumerate(self.lines) if json.loads(line)["dir"] == "recv"]
        self.path = folder / "changed.jsonl"

    def inspect(self, lines: Iterable[str], **options: Any) -> Inspection:
        self.path.write_text("\n".join(lines) + "\n")
        return inspect(self.path, **options)

    def without(self, number: int) -> list[str]:
        return self.lines[:number] + self.lines[number + 1 :]

    def raw(self, number: int) -> str:
        raw = json.loads(self.lines[number])["raw"]
        assert isinstance(raw, str)
        return raw

    def with_raw(self, number: int, raw: str) -> list[str]:
        line = json.loads(self.lines[number])
        line["raw"] = raw
        return [*self.lines[:number], json.dumps(line), *self.lines[number + 1 :]]


def drop_each(cutter: Cutter, numbers: Sequence[int], products: set[str], **options: Any) -> None:
    for number in numbers:
        report = cutter.inspect(cutter.without(number), **options)
        left = states(report)
        assert set(left.values()) == {"stale"}, f"line {number + 1} dropped: {left}"
        assert set(left) <= products
        assert report["gaps"] == 1, f"line {number + 1} dropped: {report['gaps']} gaps"


def test_dropping_any_frame_makes_all_books_stale(tmp_path: Path) -> None:
    cutter = Cutter(ADVANCED, tmp_path)
    drop_each(cutter, cutter.received[:-1], {"BTC-USD", "ETH-USD"})


def test_dropping_any_message_of_the_full_channel(tmp_path: Path) -> None:
    cutter = Cutter(FULL, tmp_path)
    drop_each(cutter, cutter.received[:-1], {"BTC-USD"}, snapshot=LEVEL3)


def test_dropping_a_match_shows_in_the_trade_ids(tmp_path: Path) -> None:
    cutter = Cutter(EXCHANGE, tmp_path)
    number = next(n for n in cutter.received if '"trade_id": 21, "side"' in cutter.raw(n))
    assert cutter.inspect(cutter.without(number))["gaps"] == 1


def test_repeating_any_frame_changes_nothing(tmp_path: Path) -> None:
    cutter = Cutter(ADVANCED, tmp_path)
    whole = inspect(ADVANCED)
    for number in cutter.received:
        report = cutter.inspect(
            [*cutter.lines[: number + 1], cutter.lines[number], *cutter.lines[number + 1 :]]
        )
        assert report["products"] == whole["products"]
        assert counts(report) == expected_counts(frames=15, duplicates=1)


def test_swapping_any_two_frames_is_a_gap(tmp_path: Path) -> None:
    cutter = Cutter(ADVANCED, tmp_path)
    for number in cutter.received[:-1]:
        lines = list(cutter.lines)
        lines[number], lines[number + 1] = lines[number + 1], lines[number]
        report = cutter.inspect(lines)
        assert (report["gaps"] >= 1, report["duplicates"]) == (True, 1)
        assert set(states(report).values()) == {"stale"}
        assert all(product["crossed"] == 0 for product in report["products"].values())


def test_cutting_and_starting_again_is_a_reconnect(tmp_path: Path) -> None:
    cutter = Cutter(ADVANCED, tmp_path)
    whole = inspect(ADVANCED)
    for cut in cutter.received:
        report = cutter.inspect(cutter.lines[:cut] + cutter.lines)
        assert (report["reconnects"], report["gaps"], report["duplicates"]) == (1, 0, 0)
        assert report["products"] == whole["products"]
    # The same without the lines that announce a connection.
    bare = [cutter.lines[number] for number in cutter.received]
    report = cutter.inspect(bare[:9] + bare)
    assert (report["reconnects"], report["gaps"], report["duplicates"]) == (1, 0, 0)
    assert report["products"] == whole["products"]


def test_a_reconnect_without_new_books_leaves_them_stale(tmp_path: Path) -> None:
    cutter = Cutter(ADVANCED, tmp_path)
    report = cutter.inspect([*cutter.lines, cutter.lines[0]])
    assert set(states(report).values()) == {"stale"}


def test_a_truncated_frame(tmp_path: Path) -> None:
    cutter = Cutter(ADVANCED, tmp_path)
    for number in cutter.received[:-1]:
        report = cutter.inspect(cutter.with_raw(number, cutter.raw(number)[:-25]))
        assert (report["malformed"], report["gaps"]) == (1, 1)
        assert set(states(report).values()) == {"stale"}


def test_a_crossed_book_is_counted_and_stale_until_the_next_snapshot(tmp_path: Path) -> None:
    cutter = Cutter(EXCHANGE, tmp_path)
    last = cutter.received[-1]
    crossing = json.loads(cutter.raw(last - 1))
    crossing["changes"] = [["buy", "0.00001305", "1.0"]]
    lines = cutter.with_raw(last, json.dumps(crossing))
    report = cutter.inspect(lines)
    assert report["products"]["SKL-BTC"]["crossed"] == 1
    assert states(report) == {"SKL-BTC": "stale"}
    snapshot = next(cutter.lines[n] for n in cutter.received if '"type": "snapshot"' in cutter.raw(n))
    assert states(cutter.inspect([*lines, snapshot])) == {"SKL-BTC": "live"}


# -- real recordings -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers(shared_data: Path) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((shared_data / "coinbase" / "expected.json").read_text())
    return answers


def check_book(product: Any, book: dict[str, Any]) -> None:
    assert product["state"] == "live"
    assert product["crossed"] == book["frames_after_which_book_was_crossed_or_locked"]
    for key in book:
        if key.startswith("top_"):
            assert product[key][: len(book[key])] == book[key]
        elif key != "frames_after_which_book_was_crossed_or_locked":
            assert product[key] == book[key], key


def test_real_advanced_capture(shared_data: Path, answers: dict[str, Any]) -> None:
    answer = answers[CAPTURE]
    report = inspect(shared_data / "coinbase" / CAPTURE, depth=10)
    assert counts(report) == expected_counts(frames=answer["frames"])
    assert set(report["products"]) == set(answer["books"]) == {"BTC-USD", "ETH-USD"}
    for symbol, book in answer["books"].items():
        check_book(report["products"][symbol], book)
        trades = answer["trades"][symbol]
        assert report["products"][symbol]["trades"] == {
            "count": trades["update_trades"],
            "unique": trades["unique_trade_ids_incl_snapshot"],
            "volume": trades["update_volume"],
            "notional": trades["update_notional"],
            "taker_buy_volume": trades["update_volume_wire_side_SELL_ie_taker_bought"],
            "taker_sell_volume": trades["update_volume_wire_side_BUY_ie_taker_sold"],
        }


@pytest.mark.parametrize("name", [LEVEL_CAPTURE, MATCH_CAPTURE])
def test_real_exchange_captures(shared_data: Path, answers: dict[str, Any], name: str) -> None:
    answer = answers[name]
    report = inspect(shared_data / "coinbase" / name, depth=10)
    assert counts(report) == expected_counts(frames=answer["frames"])
    assert set(report["products"]) == set(answer["trades"])
    for symbol, book in answer["books"].items():
        check_book(report["products"][symbol], book)
    for symbol, trades in answer["trades"].items():
        assert report["products"][symbol]["trades"] == {
            "count": trades["matches"],
            "unique": trades["matches"] + trades["last_matches"],
            "volume": trades["volume"],
            "notional": trades["notional"],
            "taker_buy_volume": trades["volume_wire_side_sell_ie_taker_bought"],
            "taker_sell_volume": trades["volume_wire_side_buy_ie_taker_sold"],
        }


def test_real_full_channel_capture(shared_data: Path, answers: dict[str, Any]) -> None:
    answer = answers[L3_CAPTURE]
    folder = shared_data / "coinbase"
    report = inspect(folder / L3_CAPTURE, depth=50, snapshot=folder / L3_SNAPSHOT)
    assert counts(report) == expected_counts(frames=sum(answer["messages_by_type"].values()))
    product = report["products"]["BTC-USD"]
    check_book(product, answer["book"])
    assert product["open_orders"] == answer["final_open_orders"]
    assert product["trades"]["count"] == answer["matches"]
    assert product["trades"]["volume"] == answer["match_volume"]
    assert product["trades"]["notional"] == answer["match_notional"]


@pytest.mark.parametrize(
    ("name", "products"),
    [
        (CAPTURE, "advanced_rest_market_products_20260809.json.gz"),
        (LEVEL_CAPTURE, "exchange_rest_products_20210417.json.gz"),
    ],
)
def test_the_venues_own_increments_give_the_same_books(
    shared_data: Path, answers: dict[str, Any], name: str, products: str
) -> None:
    folder = shared_data / "coinbase"
    report = inspect(folder / name, product_file=folder / products)
    assert report["malformed"] == 0
    for symbol, book in answers[name]["books"].items():
        assert report["products"][symbol]["book_sha256"] == book["book_sha256"]


def thinned(cutter: Cutter, keep: int = 40) -> Cutter:
    """The same frames with snapshots of `keep` levels a side: 100 times faster to run."""
    for number in cutter.received:
        raw = cutter.raw(number)
        if len(raw) > 1_000_000:
            frame = json.loads(raw)
            for event in frame["events"]:
                by_side = {
                    side: [c for c in event["updates"] if c["side"] == side] for side in ("bid", "offer")
                }
                event["updates"] = by_side["bid"][:keep] + by_side["offer"][:keep]
            cutter.lines[number] = cutter.with_raw(number, json.dumps(frame))[number]
    return cutter


@pytest.fixture
def real(shared_data: Path, tmp_path: Path) -> Cutter:
    return thinned(Cutter(shared_data / "coinbase" / CAPTURE, tmp_path))


def test_dropping_frames_of_the_real_capture(real: Cutter) -> None:
    numbers = [*real.received[:40], *real.received[40:-1:17], real.received[-2]]
    drop_each(real, numbers, {"BTC-USD", "ETH-USD"})


@pytest.mark.nightly
def test_dropping_each_frame_of_the_whole_real_capture(shared_data: Path, tmp_path: Path) -> None:
    cutter = Cutter(shared_data / "coinbase" / CAPTURE, tmp_path)
    drop_each(cutter, cutter.received[:-1], {"BTC-USD", "ETH-USD"})


def test_a_second_snapshot_in_the_real_capture_replaces(real: Cutter, shared_data: Path) -> None:
    """The first snapshot again at the end, renumbered: the book is that of the snapshot."""
    number = next(n for n in real.received if '"channel": "l2_data"' in real.raw(n))
    frame = json.loads(real.raw(number))
    last = json.loads(real.raw(real.received[-1]))["sequence_num"]
    frame["sequence_num"] = last + 1
    line = json.loads(real.lines[number])
    line["raw"] = json.dumps(frame)
    report = real.inspect([*real.lines, json.dumps(line)])
    product = report["products"]["BTC-USD"]
    assert (product["state"], product["bid_levels"], product["ask_levels"]) == ("live", 40, 40)
    assert product["best_bid_size"] == frame["events"][0]["updates"][0]["new_quantity"]


def test_cutting_the_real_capture_and_starting_again(real: Cutter) -> None:
    whole = real.inspect(real.lines)
    for cut in (real.received[1], real.received[30], real.received[300]):
        report = real.inspect(real.lines[:cut] + real.lines)
        assert (report["reconnects"], report["gaps"], report["duplicates"]) == (1, 0, 0)
        assert report["products"] == whole["products"]


def test_truncated_gzip_of_the_real_capture(shared_data: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes((shared_data / "coinbase" / MATCH_CAPTURE).read_bytes()[:4_000])
    with pytest.raises(
        RecordingError, match=r"cut\.jsonl\.gz: the compressed data ends early, after line \d+"
    ):
        inspect(cut)
