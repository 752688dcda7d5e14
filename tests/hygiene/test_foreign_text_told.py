"""Text of strangers where people and programs read it: lines, dumps, logs, errors, reports, titles."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from console import views
from hygiene.payloads import ARGUMENTS, PAYLOADS, WIRED, steers

from engine.core.events import Alert, EdgeStatus, OrderRejected, Restraint, Severity

HOSTILE = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
FROM_A_VENUE = pytest.mark.parametrize("payload", WIRED.values(), ids=WIRED.keys())


@HOSTILE
def test_status_lines_alerts_and_last_words_without_a_screen(payload: str, tmp_path: Path) -> None:
    from engine.commands.headless import _JsonLines, _last_words, _TextLines
    from engine.runtime import status
    from engine.runtime.outcome import Outcome

    text = payload.encode("utf-8", "replace").decode()
    alert = status.alert_report(Alert("BTC-USD", 1, 1, Severity.ERROR, "VENUE", text))
    (line,) = _TextLines().lines(alert)
    assert not steers(line)
    (line,) = _JsonLines().lines(alert)
    assert len(line.splitlines()) == 1
    assert not steers(line)
    assert json.loads(line)["text"] == text
    written = StringIO()
    asyncio.run(_last_words(Outcome(f"why: {payload}", 1, (payload, "c-2")), written))
    assert [line.partition(":")[0] for line in written.getvalue().split("\n")] == [
        "ended",
        "possibly open",
        "possibly open",
        "",
    ]
    assert not steers(written.getvalue().replace("\n", ""))


@FROM_A_VENUE
def test_the_journal_s_dump(payload: str) -> None:
    from engine.commands.journal_items import Item
    from engine.commands.journal_objects import Objects
    from engine.commands.journal_words import Words
    from engine.persistence.format import RecordType

    for event in (
        OrderRejected("BTC-USD", 1, 2, "c-1", payload, payload),
        Alert("BTC-USD", 1, 1, Severity.ERROR, "VENUE", payload),
        EdgeStatus("BTC-USD", 1, 1, payload, Restraint.HALTED, payload, payload),
    ):
        item = Item(1, 1, RecordType.RISK_EVENT, event)
        assert not steers(Words({}).line(item))
        line = json.JSONEncoder().encode(Objects({}).object(item))
        assert line.isascii()
        assert len(line.splitlines()) == 1


@pytest.mark.parametrize("payload", ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_errors_of_the_command_line(payload: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from pinnacle_tui import cli

    name = payload.replace("\0", "").replace("/", "_")[:200]
    for arguments in (
        ["inspect", str(tmp_path / name)],
        ["inspect", str(tmp_path / "x"), "--product", name],
        ["themes", "check", str(tmp_path / name)],
        ["config", "check", str(tmp_path / name)],
        ["config", "show", "--set", f"strategy.levels={name}"],
        ["config", "show", "--set", f"{name}=1"],
        ["journal", "dump", name, "--data-dir", str(tmp_path)],
        ["replay", name, "--verify", "--data-dir", str(tmp_path)],
        ["ctl", name],
        [name],
        ["--mode", name, "--no-ui"],
        ["--mode", "paper", "--no-ui", "--symbol", "BTC-USD", "--key-file", str(tmp_path / name)],
    ):
        assert cli.main(arguments) != 0
        told = capsys.readouterr()
        assert not steers(f"{told.out}{told.err}".replace("\n", ""))


@HOSTILE
def test_values_of_a_configuration_file_and_names_of_themes(
    payload: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from pinnacle_tui import cli

    text = payload.encode("utf-8", "replace").decode()[:2_000]
    spelt = "".join(f"\\U{ord(character):08x}" for character in text)
    for line in (
        f'[strategy]\nlevels = "{spelt}"\n',
        f'["{spelt}"]\nx = 1\n',
        f'[console]\ntheme = "{spelt}"',
    ):
        file = tmp_path / "config.toml"
        file.write_text(line)
        cli.main(["config", "check", str(file)])
        cli.main(["config", "show", "--config", str(file)])
        cli.main(["config", "show", "--config", str(file), "--json"])
        theme = tmp_path / "theme.toml"
        theme.write_text(f'name = "{spelt}"\n[colors]\n"{spelt}" = "{spelt}"\n')
        cli.main(["themes", "check", str(theme)])
        told = capsys.readouterr()
        assert not steers(f"{told.out}{told.err}".replace("\n", ""))


@FROM_A_VENUE
def test_a_recording_that_names_strange_products(
    payload: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from pinnacle_tui import cli

    update = {"side": "bid", "event_time": "2026-01-05T09:01:07Z", "price_level": "1", "new_quantity": "1"}
    event = {"type": "snapshot", "product_id": payload[:300], "updates": [update]}
    frame = {
        "channel": "l2_data",
        "timestamp": "2026-01-05T09:01:07.1Z",
        "sequence_num": 0,
        "events": [event],
    }
    line = {"ts_ns": 1, "dir": "recv", "raw": json.dumps(frame)}
    file = tmp_path / "capture.jsonl"
    file.write_text(json.dumps(line) + "\n")
    cli.main(["inspect", str(file)])
    cli.main(["inspect", str(file), "--json"])
    cli.main(["inspect", str(file), "--product", "X"])
    told = capsys.readouterr()
    assert "frames" in told.out
    assert not steers(f"{told.out}{told.err}".replace("\n", ""))


@HOSTILE
def test_the_watchdog_s_log(payload: str, tmp_path: Path) -> None:
    from engine.watchdog.log import WatchdogLog, read_log

    log = WatchdogLog(str(tmp_path / "watchdog.jsonl"))
    log.write(1, "trouble", payload)
    log.close()
    (line,) = read_log(tmp_path)
    assert not steers(line.text)


@HOSTILE
def test_a_crash_report(payload: str) -> None:
    from engine.credentials.log_filter import redacted_crash

    try:
        raise KeyError(payload) from ValueError(payload)
    except KeyError as error:
        told = redacted_crash(error)
    assert "Traceback" in told
    assert not steers(told.replace("\n", ""))
    told.encode("utf-8")


@HOSTILE
def test_the_title_of_the_window(payload: str) -> None:
    from pinnacle_tui.scenes import window_title

    scene = views.scene()
    for changes in ({"symbol": payload}, {"state": payload}):
        book = msgspec.structs.replace(scene.book, **changes)
        title = window_title(dataclasses.replace(scene, book=book))
        assert not steers(title)
        assert "owned" not in title
