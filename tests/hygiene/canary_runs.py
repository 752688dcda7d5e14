"""Real runs with planted secrets: engines that trade live under errors, and all that they leave or show."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from engine_process import PATIENCE_S, Engine, Machine
from hygiene.canary_kit import Marked, VenueBeside
from link_kit import hello_of

from engine.core.secret import Secret
from engine.credentials.desk import ADVANCED, EXCHANGE
from engine.credentials.entries import Entry
from engine.credentials.vault import Vault
from engine.credentials.vault_format import FLOOR
from engine.link.frames import to_engine
from engine.link.messages import Role

LOUD = """
import asyncio, logging, sys
from engine.credentials import log_filter
from pinnacle_tui import __main__ as program
class Slow(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        loop = super().new_event_loop()
        loop.set_debug(True)
        loop.slow_callback_duration = 0.002
        return loop
asyncio.set_event_loop_policy(Slow())
logging.basicConfig(level=1)
log_filter.install = lambda: None
sys.argv[0] = "pinnacle-tui"
sys.exit(program.main())
"""
"""The program with every library at its loudest, and without the filter: the first net has to hold alone."""

Surfaces = dict[str, bytes]


def stored(machine: Machine, marked: Marked) -> Path:
    """A vault with the keys, where the program looks for it, saved twice so that there is a backup."""
    path = machine.folder / "config" / "pinnacle-tui" / "credentials.vault"
    path.parent.mkdir(mode=0o700, parents=True)
    vault = Vault.create(path, Secret(marked.password), iterations=FLOOR)
    for name, key in (("advanced", marked.advanced), ("stranger", marked.stranger)):
        parts = {"name": Secret(key.name), "privateKey": Secret(key.private_text)}
        vault.put(name, Entry(ADVANCED, parts))
    vault.save()
    made = marked.exchange
    phrase = Secret(made.passphrase)
    vault.put(
        "exchange",
        Entry(EXCHANGE, {"key": Secret(made.key), "secret": Secret(made.secret), "passphrase": phrase}),
    )
    vault.save()
    vault.lock()
    return path


def password_file(marked: Marked) -> int:
    """A descriptor from which the password is read."""
    reading, writing = os.pipe()
    os.write(writing, marked.password.encode())
    os.close(writing)
    return reading


def where(venue: VenueBeside, api: str) -> list[str]:
    """The options of whatever speaks to the venue."""
    name = "advanced" if api == ADVANCED else "exchange"
    return ["--endpoint", venue.url, "--set", f"exchange.name={api}", "--key", name]


def live_run(machine: Machine, marked: Marked, venue: VenueBeside, api: str) -> Surfaces:
    """One engine that trades until the venue has failed it in every way, and everything round it."""
    descriptor = password_file(marked)
    errors = machine.folder / f"stderr-{api}"
    armed = ["--set", "engine.live=true", "--symbol", "BTC-USD", "--arm", "BTC-USD"]
    armed += ["--set", "persistence.snapshot_interval_s=1", "--set", "strategy.allow_negative_edge=true"]
    with errors.open("wb") as stderr:
        machine.environment["PYTHONASYNCIODEBUG"] = "1"
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", LOUD, "--no-ui", "--json", "--mode", "live", *armed),
                *where(venue, api),
                *("--password-fd", str(descriptor)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=machine.environment,
            pass_fds=(descriptor,),
            text=True,
        )
    os.close(descriptor)
    engine = Engine(process)
    try:
        engine.read_until(lambda report: report.get("event") == "accepted")
        found = around(machine, process.pid)
        engine.read_until(lambda _: venue.spite.repeated[api])
        venue.spite.calm.add(api)
        found["control"] = repr(machine.run("ctl", "status", "--json")).encode()
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    found["standard output, JSON"] = f"{json.dumps(engine.reports)}\n{rest}".encode()
    found["standard error, everything at DEBUG, asyncio in debug mode"] = errors.read_bytes()
    return found


def around(machine: Machine, pid: int) -> Surfaces:
    """What others can see of a process that runs, and of those it started."""
    pids = [pid, *children(pid)]
    assert len(pids) > 1, "the watchdog is a child"
    sockets = list(machine.runtime.glob("*.sock"))
    assert sockets
    return {
        "arguments of every process": b"\n".join(seen(pid, "cmdline") for pid in pids),
        "environment of every process": b"\n".join(seen(pid, "environ") for pid in pids),
        "limits of every process": b"\n".join(seen(pid, "limits") for pid in pids),
        "link to a console": b"".join(link_bytes(path) for path in sockets),
        "runtime folder": contents(machine.runtime),
    }


def seen(pid: int, what: str) -> bytes:
    """A file of /proc. What only root may read says nothing to anybody else."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes() or b"nothing"
    except PermissionError:
        return b"shut"


def children(pid: int) -> list[int]:
    """Every process below a process."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found = parents.get(pid, [])
    return [*found, *(below for child in found for below in children(child))]


def link_bytes(path: Path) -> bytes:
    """What an engine sends to a console that watches, for a second."""
    received = b""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(1)
        link.connect(str(path))
        link.sendall(to_engine(hello_of(Role.VIEW)))
        until = time.monotonic() + 1
        with suppress(TimeoutError):
            while time.monotonic() < until:
                received += link.recv(1 << 16)
    return received


def contents(folder: Path) -> bytes:
    """Names and bytes of every file below a folder."""
    return b"\n".join(
        str(path).encode() + b"\n" + written(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_socket()
    )


def written(path: Path) -> bytes:
    """A file's bytes, without the room that a journal has made for what will come."""
    return re.sub(rb"\0{64,}", b"\0", path.read_bytes())


def files(machine: Machine) -> Iterator[tuple[str, bytes]]:
    """What the engines leave on the disk, by kind."""
    state = machine.folder / "state"
    every = [path for path in state.rglob("*") if path.is_file()]
    kinds = {
        "journals": lambda path: path.suffix == ".pjl",
        "snapshots": lambda path: "snap" in path.name,
        "session.json": lambda path: path.name == "session.json",
        "watchdog's log": lambda path: path.name == "watchdog.jsonl",
    }
    for name, is_one in kinds.items():
        yield name, b"\n".join(written(path) for path in every if is_one(path))
    yield "whole state folder", contents(state)
    yield "vault, its backup and what lies beside it", contents(machine.folder / "config")
