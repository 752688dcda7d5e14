"""`pinnacle-tui venue`: what it accepts, what it says, and how it ends."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from engine.commands.venue import VenueOptions, serve, venue_settings, venue_text
from engine.config import load_config
from engine.core.clock import SystemClock
from engine.core.errors import UsageError
from engine.local_venue.faults.catalogue import CATALOGUE
from pinnacle_tui.cli import cli

CAPTURE = "advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
PATIENCE_S = 20


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as a process, and the first line it prints."""
    command = [sys.executable, "-m", "pinnacle_tui", "venue", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            if process.poll() is None:
                process.kill()


async def _served(options: VenueOptions) -> tuple[dict[str, Any], asyncio.Event, asyncio.Task[int]]:
    """A venue served in this process: what it announced, how to end it, and its end."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    announced: asyncio.Future[dict[str, Any]] = loop.create_future()
    task = asyncio.create_task(serve(options, announced.set_result, SystemClock(), stop))
    await asyncio.wait({announced, task}, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S)
    if task.done():
        task.result()
    return await announced, stop, task


# -- as a process -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_how_to_connect_and_ends_by_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "venue"
    with running("--tls", "--json", "--control", "--seed", "7", "--folder", str(folder)) as (process, line):
        answer = json.loads(line)
        assert answer["url"].startswith("https://127.0.0.1:")
        assert answer["ca_file"] == str(folder / "ca.pem")
        for path in (*answer["key_files"].values(), folder / "server.key"):
            assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, out, err) == (0, "", "")


# -- in this process ----------------------------------------------------------------------------------------


async def test_the_commands_that_it_prints_are_good_settings(tmp_path: Path) -> None:
    answer, stop, task = await _served(VenueOptions(tmp_path, is_tls=True, symbols=("ETH-USD",)))
    for line, mode, exchange in zip(
        answer["commands"],
        ("paper", "live", "live"),
        ("coinbase", "coinbase", "coinbase-exchange"),
        strict=True,
    ):
        flags, overrides, armed = _flags(shlex.split(line)[1:])
        config = load_config(None, {}, overrides, flags).config
        assert (config.engine.mode, config.exchange.name) == (mode, exchange)
        assert config.engine.symbols == ("ETH-USD",)
        config.require_runnable(armed)
        assert config.network.endpoint == answer["url"]
        if mode == "live":
            kind = "exchange" if exchange == "coinbase-exchange" else "advanced"
            assert config.network.key_file == answer["key_files"][kind]
    stop.set()
    assert await task == 0


def _flags(words: list[str]) -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    """What the words of a command line set, as the command line itself hands it on."""
    keys = {
        "--mode": "engine.mode",
        "--exchange": "exchange.name",
        "--symbol": "engine.symbols",
        "--endpoint": "network.endpoint",
        "--ca-file": "network.ca_file",
        "--key-file": "network.key_file",
    }
    pairs = list(zip(words[::2], words[1::2], strict=True))
    flags: dict[str, Any] = {keys[name]: value for name, value in pairs if name in keys}
    flags["engine.symbols"] = (flags["engine.symbols"],)
    overrides = tuple(value for name, value in pairs if name == "--set")
    return flags, overrides, tuple(value for name, value in pairs if name == "--arm")


async def test_it_is_spoken_to_over_tls(tmp_path: Path) -> None:
    answer, stop, task = await _served(VenueOptions(tmp_path, is_tls=True, is_controlled=True))
    trusting = ssl.create_default_context(cafile=answer["ca_file"])
    async with aiohttp.ClientSession() as session:
        async with session.get(answer["control"], ssl=trusting) as state:
            assert (await state.json())["orders"] == []
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"{answer['url']}/time")
    stop.set()
    assert await task == 0


def _contents(*paths: str) -> list[str]:
    return [Path(path).read_text() for path in paths]


async def test_the_certificate_stays_and_the_keys_are_new(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        answer, stop, task = await _served(VenueOptions(tmp_path, is_tls=True))
        seen.append(_contents(answer["ca_file"], answer["key_files"]["exchange"]))
        stop.set()
        await task
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] != seen[1][1]


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    answer, stop, task = await _served(VenueOptions(tmp_path))
    port = int(answer["url"].rpartition(":")[2])
    with pytest.raises(UsageError, match=f"{port} cannot be listened on"):
        await serve(VenueOptions(tmp_path, port=port), lambda answer: None, SystemClock())
    stop.set()
    await task


async def test_a_recording_is_played(tmp_path: Path, shared_data: Path) -> None:
    options = VenueOptions(tmp_path, capture=shared_data / "coinbase" / CAPTURE, speed="max")
    answer, stop, task = await _served(options)
    assert sorted(answer["products"]) == ["BTC-USD", "ETH-USD"]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{answer['url']}/exchange", max_msg_size=0) as feed,
    ):
        await feed.send_json(
            {"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["level2_batch", "matches"]}
        )
        kinds: set[str] = set()
        async with asyncio.timeout(PATIENCE_S):
            while not {"snapshot", "l2update", "match"} <= kinds:
                kinds.add((await feed.receive_json())["type"])
    stop.set()
    assert await task == 0


def test_the_text_names_everything(tmp_path: Path) -> None:
    text = venue_text(
        {
            "url": "https://127.0.0.1:8443",
            "products": ["BTC-USD"],
            "market": "simulated",
            "ca_file": "/v/ca.pem",
            "key_files": {"advanced": "/v/a.json", "exchange": "/v/e.json"},
            "control": "https://127.0.0.1:8443/_control/state",
            "faults": ["ws-drop"],
            "commands": ["pinnacle-tui --mode paper"],
        }
    )
    for word in (
        "8443",
        "/v/ca.pem",
        "/v/a.json",
        "/v/e.json",
        "_control",
        "ws-drop",
        "--mode paper",
        "ctrl-c",
    ):
        assert word in text


# -- options ------------------------------------------------------------------------------------------------


def test_all_faults_are_listed() -> None:
    result = CliRunner().invoke(cli, ["venue", "--list-faults"])
    assert result.exit_code == 0
    assert all(f"  {name}" in result.output for name in CATALOGUE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"symbols": ("BTC-USD",), "capture": Path("x")}, "name two markets"),
        ({"speed": "2"}, "a simulated market runs as time goes by"),
        ({"capture": Path("x"), "speed": "0"}, "must be a number above 0"),
        ({"capture": Path("x"), "speed": "NaN"}, "must be a number above 0"),
        ({"capture": Path("x"), "speed": "fast"}, "must be a number above 0"),
        ({"fees": "40"}, "must be MAKER,TAKER in basis points"),
        ({"fees": "40,sixty"}, "must be MAKER,TAKER in basis points"),
        ({"fees": "40,60,80"}, "must be MAKER,TAKER in basis points"),
        ({"fees": "40,5000"}, "must be MAKER,TAKER in basis points"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        venue_settings(VenueOptions(tmp_path, **options))


async def test_faults_and_products_that_do_not_exist(tmp_path: Path) -> None:
    for options, words in (
        (VenueOptions(tmp_path, faults=("ws-dorp",)), "there is no fault ws-dorp"),
        (VenueOptions(tmp_path, symbols=("NO-USD",)), "does not know NO-USD"),
    ):
        with pytest.raises(UsageError, match=words):
            await serve(options, lambda answer: None, SystemClock())


def test_what_options_mean(tmp_path: Path) -> None:
    settings = venue_settings(VenueOptions(tmp_path, symbols=("ETH-USD", "ETH-USD"), seed=9, fees="40,-5.5"))
    assert (settings.products, settings.simulator.seed) == (("ETH-USD",), 9)
    (tier,) = settings.fee_tiers
    assert (tier.maker_rate, tier.taker_rate) == (Decimal("0.004"), Decimal("-0.00055"))
    played = venue_settings(VenueOptions(tmp_path, capture=Path("x"), speed="max"))
    assert (played.capture, played.capture_speed) == (Path("x"), None)
