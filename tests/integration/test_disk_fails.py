"""The disk fails under a trading engine: it says so, cancels, ends with 74, and the next start goes on."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.commands import headless
from engine.commands.replay import verify
from engine.config import load_config
from engine.persistence.disk import Disk
from engine.runtime.session_store import sessions


def run(data_dir: Path, *overrides: str) -> tuple[int, list[dict[str, Any]], str]:
    """A run of the simulator at full speed: exit code, reports, errors."""
    given = (
        "engine.speed=max", "engine.duration_s=60", "simulator.seed=7", f"persistence.data_dir={data_dir}",
        "persistence.segment_kib=64", "persistence.snapshot_every=400", *overrides,
    )  # fmt: skip
    out, err = io.StringIO(), io.StringIO()
    code = headless.run(load_config(None, {}, given), as_json=True, stdout=out, stderr=err)
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def failing(monkeypatch: pytest.MonkeyPatch, call: str, number: int, after: int) -> list[int]:
    """From its `after`-th time on a call of the disk fails; how often it was made then."""
    real: Callable[..., Any] = getattr(Disk, call)
    calls = [0]

    def counted(self: Disk, *args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] > after:
            raise OSError(number, "as the test wants it")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Disk, call, counted)
    return calls


@pytest.mark.parametrize(
    ("call", "number", "after"),
    [
        ("fdatasync", errno.EIO, 3),
        ("fdatasync", errno.ENOSPC, 8),
        ("fsync", errno.EIO, 8),
        ("allocate", errno.ENOSPC, 3),
        ("allocate", errno.EDQUOT, 2),
        ("rename", errno.EROFS, 6),
        ("open", errno.EACCES, 25),
        ("pwrite", errno.ENOSPC, 12),
        ("fstat", errno.EIO, 20),
    ],
)
@pytest.mark.parametrize("durability", [pytest.param("interval", marks=pytest.mark.nightly), "group"])
def test_a_disk_that_fails_ends_the_trading_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, after: int, durability: str
) -> None:
    setting = f"persistence.durability={durability}"
    with monkeypatch.context() as patched:
        calls = failing(patched, call, number, after)
        code, reports, err = run(tmp_path, setting)
    assert calls[0] > after, "the disk was not asked often enough to fail"
    assert code == 74, err
    assert "as the test wants it" in err
    assert "Traceback" not in err
    summary = reports[-1]
    assert (summary["type"], summary["open_orders"], summary["pnl_residual"]) == ("summary", 0, "0")
    sent = [each for each in reports if each["type"] == "order" and each["event"] == "submitted"]
    assert sent, "it did not trade before"
    [session] = sessions(tmp_path)
    assert session.info.ended is None
    code, _, err = run(tmp_path, setting)
    assert code == 0, err
    # What failed after the session's last word was on record has ended all the same.
    assert "goes on" in err or sessions(tmp_path)[0].info.ended is not None
    answer = verify(session.name, tmp_path)
    assert answer["first_divergence"] is None


def test_a_failed_sync_is_never_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = failing(monkeypatch, "fdatasync", errno.EIO, 3)
    assert run(tmp_path)[0] == 74
    assert calls[0] == 4


@pytest.mark.parametrize("call", ["mkdir", "open", "write_whole"])
def test_where_no_session_can_be_begun_nothing_is_traded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    failing(monkeypatch, call, errno.ENOSPC, 0)
    given = ("engine.speed=max", "engine.duration_s=1", f"persistence.data_dir={tmp_path}")
    with pytest.raises(Exception, match="as the test wants it") as found:
        headless.run(load_config(None, {}, given), as_json=True, stdout=io.StringIO(), stderr=io.StringIO())
    assert getattr(found.value, "exit_code", None) == 74
