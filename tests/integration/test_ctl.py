"""Steering engines from a shell: `sessions` and `ctl`, with real processes, exit codes and JSON."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from engine_process import Engine, Machine, eventually, machine

from engine.commands.ctl import ctl
from engine.link.client import LinkClient
from engine.link.frames import of_client, to_console
from engine.link.messages import ClientHello, Command, CommandName, EngineHello, Role, Verdict
from engine.link.mirror import EngineMirror
from engine.link.runtime_folder import claim

NAME = "sim-btc-usd"


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as made:
        yield made


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Machine, Engine]]:
    """One engine for the tests that leave it as it was."""
    with machine() as made:
        yield made, made.engine()


@asynccontextmanager
async def console(here: Machine, role: Role = Role.CONTROL, **options: bool) -> AsyncIterator[LinkClient]:
    client = LinkClient(EngineMirror(), build="0", name="a console", role=role, **options)
    await client.connect(here.runtime / f"{NAME}.sock")
    try:
        yield client
    finally:
        client.close()


# -- which engines ---------------------------------------------------------------------------------


def test_where_no_engine_runs_sessions_is_empty_and_ctl_is_wrong_usage(here: Machine):
    assert here.run("sessions") == (0, "no engine runs\nno session is on the disk\n", "")
    code, out, _ = here.run("sessions", "--json")
    answer = json.loads(out)
    assert (code, answer.pop("data_dir")) == (0, str(here.folder / "state" / "pinnacle-tui" / "sessions"))
    assert answer == {"v": 1, "folder": str(here.runtime), "sessions": [], "stored": []}
    code, out, err = here.run("ctl", "kill")
    assert (code, out) == (2, "")
    assert "no engine runs" in err
    assert "pinnacle-tui --no-ui" in err, "it says how to start one"


def test_an_engine_is_listed_with_what_it_is_and_does(served: tuple[Machine, Engine]):
    here, engine = served
    code, out, err = here.run("sessions", "--json")
    assert (code, err) == (0, "")
    (session,) = json.loads(out)["sessions"]
    assert (session["name"], session["mode"], session["venue"]) == (NAME, "sim", "simulator")
    assert session["pid"] == engine.process.pid
    assert 0 <= session["uptime_s"] < 600
    assert (session["controller"], session["viewers"]) == ("", 0)
    (product,) = session["products"]
    assert (product["product"], product["state"], product["connection"]) == ("BTC-USD", "ACTIVE", "live")
    code, out, _ = here.run("sessions")
    assert out.startswith(f"{NAME}  sim at simulator  pid {engine.process.pid}  up ")


def test_its_folder_and_socket_are_this_users_alone(served: tuple[Machine, Engine]):
    here, _ = served
    assert stat.S_IMODE(here.runtime.stat().st_mode) == 0o700
    assert stat.S_IMODE((here.runtime / f"{NAME}.sock").stat().st_mode) == 0o600


def test_status_has_the_same_words_as_the_reports(served: tuple[Machine, Engine]):
    here, engine = served
    code, answer = here.ctl("status")
    assert (code, answer["session"], answer["pid"]) == (0, NAME, engine.process.pid)
    reported = engine.read_until(lambda report: report["type"] == "status")
    (product,) = answer["products"]
    same = {"product", "state", "connection", "open_orders", "fills", "position", "equity_change", "fees"}
    assert same <= set(product) & set(reported)
    assert here.run("ctl", "status")[1].startswith(f"{NAME}: sim at simulator, pid ")


def test_one_product_of_several_is_steered_alone(here: Machine):
    here.engine("--symbol", "BTC-USD", "--symbol", "ETH-USD")

    def states() -> list[str]:
        return [product["state"] for product in here.ctl("status")[1]["products"]]

    code, answer = here.ctl("pause", "--product", "ETH-USD")
    assert (code, answer["verdict"]) == (0, "done")
    assert answer["text"].startswith("ETH-USD alone: quoting is paused")
    assert states() == ["ACTIVE", "PAUSED"]
    code, _, err = here.run("ctl", "rearm", "--product", "ETH-USD", "--confirm", "BTC-USD")
    assert code == 2
    assert "rearm lets ETH-USD trade again: repeat it with --confirm ETH-USD" in err
    code, _, err = here.run("ctl", "shutdown", "--product", "ETH-USD")
    assert code == 2
    assert "shutdown is for the whole engine" in err
    assert here.ctl("kill")[0] == 0
    assert states() == ["KILLED", "KILLED"], "without a product it is for all of them"
    [together] = here.ctl("status")[1]["portfolio"]
    assert (together["products"], together["open_orders"]) == (["BTC-USD", "ETH-USD"], 0)
    assert "2 products in USD  P&L " in here.run("ctl", "status")[1]


def test_a_name_that_does_not_run_gets_the_nearest(served: tuple[Machine, Engine]):
    here, _ = served
    code, out, err = here.run("ctl", "pause", "--session", "sim-btc-us")
    assert (code, out) == (2, "")
    assert f"did you mean {NAME}?" in err


def test_with_two_engines_a_name_is_needed(here: Machine):
    here.engine()
    here.engine("--new", name=f"{NAME}-2")
    code, _, err = here.run("ctl", "kill")
    assert code == 2
    assert f"2 engines run; name the one you mean: {NAME}, {NAME}-2" in err
    assert here.ctl("kill", "--session", f"{NAME}-2")[0] == 0
    code, out, _ = here.run("sessions", "--json")
    states = {each["name"]: each["products"][0]["state"] for each in json.loads(out)["sessions"]}
    assert states == {NAME: "ACTIVE", f"{NAME}-2": "KILLED"}
    engines = here.ctl("status")[1]["engines"]
    assert {each["session"]: each["products"][0]["state"] for each in engines} == states


def test_after_a_kill_9_its_name_and_socket_are_taken_over(here: Machine):
    dead = here.engine()
    dead.process.kill()
    dead.process.wait()
    assert (here.runtime / f"{NAME}.sock").exists(), "nobody was left to remove it"
    listed = here.run("sessions")[1].splitlines()
    assert listed[0] == "no engine runs"
    assert "the next start goes on with it" in listed[-1]
    engine = here.engine()
    assert here.ctl("status")[1]["pid"] == engine.process.pid
    assert here.ctl("shutdown")[0] == 0
    assert engine.end()[0] == 0
    assert not (here.runtime / f"{NAME}.sock").exists()


@pytest.mark.nightly  # it takes the seconds that a hello is waited for
def test_an_engine_that_is_stopped_is_listed_as_not_answering_and_ctl_says_so(here: Machine):
    engine = here.engine()
    engine.process.send_signal(signal.SIGSTOP)
    listing, asking = here.start("sessions"), here.start("ctl", "pause")
    out, err = listing.communicate(timeout=30)
    assert (listing.returncode, err) == (0, "")
    assert out.startswith(f"{NAME}  the engine did not say hello within 5 s")
    out, err = asking.communicate(timeout=30)
    assert (asking.returncode, out) == (1, "")
    assert "nothing was asked of it" in err
    engine.process.send_signal(signal.SIGCONT)
    eventually(lambda: here.ctl("status")[0] == 0, "it never came back")


# -- deeds -----------------------------------------------------------------------------------------


def test_every_deed_with_its_code_and_proof(here: Machine):
    engine = here.engine()
    assert here.ctl("resume")[1]["verdict"] == "rejected"
    for deed, code, verdict, words in [
        ("pause", 0, "done", "quoting is paused"),
        ("resume", 0, "done", "no pause is left"),
        ("cancel-all", 0, "done", "the venue lists none of the orders that were open"),
        ("flatten", 0, "done", "no order is open"),
        ("resume", 0, "done", "no pause is left"),
        ("kill", 0, "done", "the venue was asked twice and lists no order of ours"),
        ("resume", 1, "rejected", "KILLED"),
    ]:
        got, answer = here.ctl(deed)
        assert (got, answer["deed"], answer["verdict"]) == (code, deed.replace("-", "_"), verdict)
        assert words in answer["text"]
        assert answer["possibly_open"] == []
    code, out, err = here.run("ctl", "rearm")
    assert (code, out) == (2, "")
    assert "repeat it with --confirm BTC-USD; nothing was done" in err
    assert here.run("ctl", "rearm", "--confirm", "ETH-USD")[0] == 2
    assert here.ctl("status")[1]["products"][0]["state"] == "KILLED"
    assert here.ctl("rearm", "--confirm", "BTC-USD")[0] == 0
    assert here.ctl("status")[1]["products"][0]["state"] == "ACTIVE"
    code, out, _ = here.run("ctl", "shutdown")
    assert code == 0
    assert out.startswith("shutdown: done in ")
    assert out.endswith("the engine has ended; no order is open\n")
    code, last = engine.end()
    assert (code, last["type"], last["possibly_open"]) == (0, "summary", [])
    assert last["reason"].startswith("stopped by ctl pid ")


def test_no_order_leaves_after_a_kill(here: Machine):
    engine = here.engine("--speed", "20")
    assert here.ctl("kill")[0] == 0
    killed = engine.alert("KILL")
    for _ in range(20):
        status = engine.read_until(lambda report: report["type"] == "status")
    assert (status["state"], status["open_orders"]) == ("KILLED", 0)
    sent = [report for report in engine.of("order") if report["event"] == "submitted"]
    assert sent
    assert max(report["time_ns"] for report in sent) <= killed["time_ns"]
    assert [alert["code"] for alert in engine.of("alert")].count("PROVEN") == 1


def test_set_changes_a_setting_and_refuses_nonsense(served: tuple[Machine, Engine]):
    here, _ = served
    code, answer = here.ctl("set", "strategy.levels=2")
    assert (code, answer["text"]) == (0, "strategy.levels: 3 → 2")
    for nonsense, words in [
        ("strategy.levels=0", "strategy.levels"),
        ("strategy.levls=2", "strategy.levels"),
        ("engine.mode=live", "cannot change while the engine runs"),
    ]:
        code, answer = here.ctl("set", nonsense)
        assert (code, answer["verdict"]) == (1, "rejected")
        assert words in answer["text"]
    assert here.ctl("set", "strategy.levels=3")[0] == 0
    code, out, err = here.run("ctl", "set", "strategy.levels")
    assert (code, out) == (2, "")
    assert "must be KEY=VALUE" in err


@pytest.mark.parametrize("arguments", [["set"], ["pause", "strategy.levels=2"], ["explode"], []])
def test_what_is_no_command_is_wrong_usage(here: Machine, arguments: list[str]):
    code, out, err = here.run("ctl", *arguments)
    assert (code, out) == (2, "")
    assert err


# -- control ---------------------------------------------------------------------------------------


async def test_while_a_console_holds_control_ctl_only_kills_or_takes(here: Machine):
    here.engine()
    async with console(here) as holder:
        code, answer = await asyncio.to_thread(here.ctl, "pause")
        assert (code, answer["verdict"]) == (1, "rejected")
        assert "a console holds control" in answer["text"]
        assert (await asyncio.to_thread(here.ctl, "status"))[1]["controller"] == "a console"
        code, answer = await asyncio.to_thread(here.ctl, "pause", "--take")
        assert (code, answer["verdict"]) == (0, "done")
        assert not holder.mirror.is_controller
        assert (await holder.ask(CommandName.TAKE_CONTROL)).verdict is Verdict.DONE
        code, answer = await asyncio.to_thread(here.ctl, "kill")
        assert (code, answer["verdict"]) == (0, "done")
        assert holder.mirror.is_controller, "a kill takes nothing away"


async def test_a_read_only_console_changes_nothing(here: Machine):
    here.engine()
    async with console(here, Role.VIEW, may_kill=False) as reader:
        for name in (CommandName.KILL, CommandName.TAKE_CONTROL, CommandName.SHUTDOWN):
            assert (await reader.ask(name)).verdict is Verdict.REJECTED
    assert (await asyncio.to_thread(here.ctl, "status"))[1]["products"][0]["state"] == "ACTIVE"


def test_an_engine_that_dies_over_a_command_leaves_it_unknown_at_once(
    here: Machine, monkeypatch: pytest.MonkeyPatch
):
    here.runtime.mkdir(mode=0o700)
    with claim(here.runtime, NAME) as claimed:
        claimed.socket.setblocking(True)
        claimed.socket.listen()
        dying = threading.Thread(target=greet_and_die, args=[claimed.socket])
        dying.start()
        # As another process, whose lock it is.
        monkeypatch.setattr("engine.commands.ctl.resolve", lambda folder, session: claimed.path)
        began = time.monotonic()
        answer = ctl("kill", folder=here.runtime)
        dying.join()
    assert (answer["exit_code"], answer["verdict"]) == (75, "unknown")
    assert "it may have been carried out" in answer["text"]
    assert time.monotonic() - began < 5, "its deadline of 10 s was waited for"


def greet_and_die(bound: socket.socket) -> None:
    """An engine that says hello, reads a command, and is gone."""
    link, _ = bound.accept()
    decoder = of_client()
    with link:
        while True:
            for message in decoder.feed(memoryview(link.recv(4096))):
                if isinstance(message, Command):
                    return
                if isinstance(message, ClientHello):
                    link.sendall(to_console(HELLO))


HELLO = EngineHello(
    1, "0", "e", NAME, 1, "sim", "simulator", Role.CONTROL, (), {}, 0, None, "keep-running", 0
)


# -- the kill switch by a signal -------------------------------------------------------------------


def test_sigusr1_is_the_kill_switch(here: Machine):
    engine = here.engine()
    engine.process.send_signal(signal.SIGUSR1)
    killed, proven = engine.alert("KILL"), engine.alert("PROVEN")
    assert "SIGUSR1" in killed["text"]
    assert "the venue was asked twice and lists no order of ours" in proven["text"]
    assert proven["time_ns"] - killed["time_ns"] >= 500_000_000
    assert here.ctl("status")[1]["products"][0]["state"] == "KILLED"
    assert engine.is_running


def test_a_file_named_kill_beside_the_sessions_is_the_kill_switch(here: Machine):
    engine = here.engine()
    (here.folder / "state" / "pinnacle-tui" / "sessions" / "KILL").touch()
    killed, proven = engine.alert("KILL"), engine.alert("PROVEN")
    assert "KILL appeared; remove it before trading is rearmed" in killed["text"]
    assert "the venue was asked twice and lists no order of ours" in proven["text"]
    engine.process.terminate()
    assert engine.end()[0] == 0
