"""`journal` beside an engine that trades: it only reads, it is never wrong, and following it ends well."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_process import PATIENCE_S, Engine, Machine, machine

FAST = ("--speed", "20", "--set", "persistence.segment_kib=64", "--set", "persistence.snapshot_every=2000")
NAME = "sim-btc-usd-0001"


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as made:
        yield made


def folder(here: Machine) -> Path:
    return here.folder / "state" / "pinnacle-tui" / "sessions" / NAME


def files(here: Machine) -> int:
    return len(list(folder(here).rglob("*.pjl")))


def followed(here: Machine, *arguments: str) -> subprocess.Popen[str]:
    return here.start("journal", "tail", NAME, "-f", "--json", *arguments)


def seqs_of(lines: list[str]) -> list[int]:
    return [json.loads(line)["seq"] for line in lines]


def rest_of(tail: subprocess.Popen[str], may_say: str = "") -> list[str]:
    """What it says until its good end."""
    assert tail.stdout is not None
    assert tail.stderr is not None
    lines = tail.stdout.read().splitlines()
    said = tail.stderr.read()
    assert not said or (may_say and may_say in said)
    assert tail.wait(PATIENCE_S) == 0
    return lines


def ended(engine: Engine) -> None:
    engine.process.send_signal(signal.SIGTERM)
    assert engine.process.stdout is not None
    engine.process.stdout.read()
    assert engine.process.wait(PATIENCE_S) == 0


def test_everything_that_reads_is_right_while_the_engine_writes(here: Machine) -> None:
    engine = here.engine(*FAST)
    last = 0
    for _ in range(4):
        code, out, err = here.run("journal", "verify", NAME, "--json")
        answer: dict[str, Any] = json.loads(out)
        assert (code, answer["status"], answer["problems"], err) == (0, "clean", [], "")
        assert answer["is_in_use"]
        assert answer["last_seq"] > last
        last = answer["last_seq"]
        code, out, _ = here.run(
            "journal", "dump", NAME, "--json", "--from", str(last - 20), "--to", str(last)
        )
        assert (code, seqs_of(out.splitlines())) == (0, list(range(last - 20, last + 1)))
        assert here.run("journal", "stats", NAME)[0] == 0
        assert here.run("journal", "tail", NAME)[0] == 0
    assert "an engine writes it just now" in here.run("journal", "verify", NAME)[1]
    assert here.run("journal", "verify", NAME, "--deep")[0] == 0
    code, _, err = here.run("journal", "repair", NAME, "--truncate-at", "100", "--yes")
    assert code == 3
    assert str(engine.process.pid) in err
    ended(engine)
    assert here.run("journal", "verify", NAME, "--deep")[0] == 0


def test_following_tells_every_record_across_files_and_ends_with_the_session(here: Machine) -> None:
    engine = here.engine(*FAST)
    tail = followed(here, "-n", "3")
    assert tail.stdout is not None
    lines = [tail.stdout.readline()]
    began = files(here)
    while files(here) < began + 3:
        lines.append(tail.stdout.readline())
    ended(engine)
    lines += rest_of(tail)
    seqs = seqs_of(lines)
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    assert json.loads(lines[-1])["event"] == "SessionEnded"
    _, dumped, _ = here.run("journal", "dump", NAME, "--json", "--from", str(seqs[0]), "--to", str(seqs[-1]))
    assert [json.loads(line) for line in dumped.splitlines()] == [json.loads(line) for line in lines]


def test_following_goes_on_behind_a_crash(here: Machine) -> None:
    engine = here.engine(*FAST)
    tail = followed(here, "-n", "0")
    assert tail.stdout is not None
    lines = [tail.stdout.readline()]
    engine.process.kill()
    engine.process.wait()
    here.run("--no-ui", "--seed", "7", "--duration", "5", *FAST)
    lines += rest_of(tail, may_say="waiting for the next start")
    events = [json.loads(line)["event"] for line in lines]
    assert "SessionStarted" in events
    assert events[-1] == "SessionEnded"
    seqs = seqs_of(lines)
    assert seqs == list(range(seqs[0], seqs[-1] + 1))


def test_following_is_ended_by_control_c(here: Machine) -> None:
    engine = here.engine(*FAST)
    tail = followed(here)
    assert tail.stdout is not None
    tail.stdout.readline()
    tail.send_signal(signal.SIGINT)
    rest_of(tail)
    assert engine.is_running


@pytest.mark.parametrize("is_killed", [False, True])
def test_whoever_reads_it_may_go_at_any_time(here: Machine, is_killed: bool) -> None:
    engine = here.engine(*FAST)
    if is_killed:  # nothing comes any more, and still nobody waits for ever
        engine.process.kill()
        engine.process.wait()
    tail = followed(here)
    assert tail.stdout is not None
    assert tail.stderr is not None
    for _ in range(10):
        tail.stdout.readline()
    said = tail.stderr.readline() if is_killed else ""
    assert ("waiting for the next start" in said) == is_killed
    tail.stdout.close()
    assert tail.wait(PATIENCE_S) == 1
    assert tail.stderr.read() == ""


def test_a_dump_into_a_pipe_that_is_closed_is_quiet(here: Machine) -> None:
    # More than a pipe holds.
    assert here.run("--no-ui", "--duration", "60", "--speed", "max")[0] == 0
    dump = here.start("journal", "dump", NAME)
    assert dump.stdout is not None
    assert dump.stderr is not None
    dump.stdout.readline()
    dump.stdout.close()
    assert dump.wait(PATIENCE_S) == 1
    assert dump.stderr.read() == ""


def test_after_a_crash_the_end_is_torn_or_clean_and_the_next_start_tells_what_it_cut(here: Machine) -> None:
    engine = here.engine(*FAST)
    engine.process.kill()
    engine.process.wait()
    last = sorted(folder(here).glob("*.pjl"))[-1]
    end = last.read_bytes().rstrip(b"\0")
    with last.open("r+b") as file:  # as if the machine had lost the last page: half a record
        os.pwrite(file.fileno(), bytes(16), len(end) - 16)
    code, out, _ = here.run("journal", "verify", NAME, "--json")
    answer = json.loads(out)
    assert (code, answer["status"]) == (1, "torn")
    assert here.run("--no-ui", "--seed", "7", "--duration", "5", *FAST)[0] == 0
    code, out, _ = here.run("journal", "stats", NAME, "--json")
    [cut] = json.loads(out)["cuts"]
    assert cut["bytes"] == answer["torn_bytes"] > 0
    assert cut["kept_as"] in json.loads(out)["kept_aside"]
    code, out, _ = here.run("journal", "dump", NAME, "--type", "recovered")
    assert f"were cut off and kept in {cut['kept_as']}" in out
    assert here.run("journal", "verify", NAME, "--deep")[0] == 0


def test_help_of_every_verb_shows_an_example(here: Machine) -> None:
    code, out, _ = here.run("journal", "--help")
    verbs = re.findall(r"^  (\w+) ", out.partition("Commands:")[2], re.MULTILINE)
    assert (code, sorted(verbs)) == (0, ["diff", "dump", "repair", "stats", "tail", "verify"])
    for verb in verbs:
        code, out, _ = here.run("journal", verb, "--help")
        assert code == 0
        assert f"pinnacle-tui journal {verb} " in out.partition("Example:")[2]
        assert "--json" in out
        assert "--data-dir" in out
