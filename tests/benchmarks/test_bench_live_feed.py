"""The benchmark of the live feed does the work it times. No timing is asserted here."""

from __future__ import annotations

from engine.commands.bench_live_feed import bench_live_feed


def test_every_message_comes_through_both_clients() -> None:
    ours, bare, way, bare_way, quoting = bench_live_feed(flood=300, paced=100, rounds=1)
    assert ours.count == bare.count == 300
    assert "x the bare client" in ours.note
    assert way.count == bare_way.count == 100
    assert 0 < bare_way.low <= bare_way.median <= bare_way.high
    assert way.low > 0
    assert 0 < quoting.count <= 100
    assert quoting.low >= way.low
