"""The circuit breaker from a shell: asked, proven, told, and the same when its journal is replayed."""

from __future__ import annotations

import pytest
from engine_process import machine

from engine.commands.ctl import ctl
from engine.core.errors import UsageError


def test_trip_and_reset_by_hand():
    with machine() as here:
        engine = here.engine()
        code, answer = here.ctl("breaker", "trip", "--reason", "news")
        assert (code, answer["deed"], answer["verdict"]) == (0, "trip_breaker", "done")
        assert answer["text"].startswith("the circuit breaker was closed and is open; ")
        assert answer["text"].endswith("; the venue lists none of the orders that were open")
        told = engine.alert("BREAKER")["text"]
        assert told.startswith("circuit breaker closed → open, manual: news, ctl pid ")
        (product,) = here.ctl("status")[1]["products"]
        assert (product["state"], product["breaker"], product["open_orders"]) == ("PAUSED", "open", 0)

        code, answer = here.ctl("breaker", "reset")
        assert (code, answer["text"]) == (0, "the circuit breaker was open and is closed")
        engine.read_until(lambda report: report.get("event") == "submitted")
        assert here.ctl("shutdown")[0] == 0
        assert engine.read_until(lambda report: report["type"] == "summary")["possibly_open"] == []

        code, out, err = here.run("replay", "sim-btc-usd-0001", "--verify")
        assert (code, err) == (0, ""), out


@pytest.mark.parametrize(
    ("deed", "what", "reason", "said"),
    [
        ("breaker", None, None, "breaker None: must be trip or reset; nothing was done"),
        ("breaker", "open", None, "breaker open: must be trip or reset; nothing was done"),
        ("pause", None, "news", "pause --reason: only breaker takes a reason; nothing was done"),
    ],
)
def test_what_is_no_deed_is_wrong_usage(deed: str, what: str | None, reason: str | None, said: str):
    with pytest.raises(UsageError) as wrong:
        ctl(deed, what, reason=reason)
    assert str(wrong.value) == said
