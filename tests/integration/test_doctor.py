"""`doctor`: each thing that may be wrong is found, said in words, and decides the exit code."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fault_proxy import Door, FaultProxy
from local_venue.certificates import bad_context
from tls_kit import tls_server
from ws_kit import Peer, ScriptedVenue, http_answer

from engine.commands.doctor import doctor, doctor_text
from engine.commands.doctor_check import Check, Verdict, exit_code
from engine.commands.doctor_machine import (
    Surroundings,
    check_disk,
    check_program,
    check_terminal,
    descriptors_check,
    free_check,
    hardening_check,
    sync_check,
)
from engine.commands.doctor_network import Target, check_target
from engine.commands.doctor_venue import clock_check, product_check
from engine.commands.unlocking import key_of_run
from engine.config import Config, Resolved, load_config
from engine.core.clock import ManualClock, SystemClock
from engine.core.instrument import Instrument
from engine.credentials.desk import WrongPassword
from engine.exchange.coinbase.broker import (
    AuthenticationError,
    BrokerError,
    FeeRates,
    Permissions,
    ProductState,
)
from engine.exchange.coinbase.keys import ApiKey, read_key_file
from engine.exchange.coinbase.tls import tls_context
from engine.local_venue.keys import Rights, make_cdp_key, write_key
from engine.local_venue.server import LocalVenue
from engine.local_venue.tls import server_context, tls_files
from pinnacle_tui.cli_doctor import doctor as command_of_doctor

MS = 1_000_000
MIB = 1 << 20
BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.00000001")
AROUND = Surroundings(
    environ={"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    is_terminal=True,
    columns=120,
    rows=40,
    encoding="utf-8",
    least=(60, 16),
    version="0.0",
    exposures=(),
)
KEY = {"name": "organizations/o/apiKeys/k", "privateKey": ""}


class FakeBroker:
    """A venue that answers as it is told; an exception in place of an answer is raised."""

    name = "coinbase"

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "open": None,
            "measure_clock": 3 * MS,
            "products": {"BTC-USD": ProductState(BTC, is_tradable=True)},
            "permissions": Permissions(can_view=True, can_trade=True, can_transfer=False),
            "fees": FeeRates(Decimal(4), Decimal(6), "Top 2"),
            **answers,
        }
        self.asked: list[str] = []
        self.is_closed = False

    async def open(self) -> None:
        self._answer("open")

    async def close(self) -> None:
        self.is_closed = True

    async def measure_clock(self) -> int:
        return int(self._answer("measure_clock"))

    async def products(self, symbols: Sequence[str] = ()) -> dict[str, ProductState]:
        found: dict[str, ProductState] = self._answer("products")
        return found

    async def permissions(self) -> Permissions:
        rights: Permissions = self._answer("permissions")
        return rights

    async def fees(self) -> FeeRates:
        rates: FeeRates = self._answer("fees")
        return rates

    def _answer(self, name: str) -> Any:
        self.asked.append(name)
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer


def settings(**given: Any) -> Resolved:
    """A configuration; keys with __ in place of the point."""
    return load_config(None, {}, [f"{key.replace('__', '.')}={value}" for key, value in given.items()], {})


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    path = tmp_path / "key.json"
    path.write_text(json.dumps(KEY | {"privateKey": pem.decode()}))
    path.chmod(0o600)
    return path


async def stay(peer: Peer) -> None:
    await peer.gone()


@pytest.fixture
def good_tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    files = tls_files(tmp_path / "tls", SystemClock())
    return server_context(files), files.ca


async def examined(broker: FakeBroker | None = None, **given: Any) -> dict[str, Any]:
    """What doctor says; it has a loop of its own, as on the command line."""
    within_s, unlock = given.pop("within_s", 5.0), given.pop("unlock", key_of_run)
    made = broker or FakeBroker()
    answer = await asyncio.to_thread(
        doctor,
        settings(**given),
        AROUND,
        make_broker=lambda *_, **__: made,
        look_at_disk=lambda folder, clock: [Check("disk", "writable", Verdict.OK, str(folder))],
        unlock=unlock,
        within_s=within_s,
    )
    assert made.is_closed
    return answer


def found(answer: Mapping[str, Any], group: str, name: str) -> dict[str, Any]:
    [check] = [each for each in answer["checks"] if (each["group"], each["name"]) == (group, name)]
    return dict(check)


def failed(answer: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(each["group"], each["name"]) for each in answer["checks"] if each["verdict"] == "fail"}


# -- everything together -------------------------------------------------------------------------------


async def test_where_all_is_well_nothing_fails_and_every_group_was_looked_at(
    good_tls: tuple[ssl.SSLContext, Path], key_file: Path
) -> None:
    context, ca = good_tls
    async with ScriptedVenue(stay, tls=context) as venue:
        answer = await examined(
            engine__mode="live",
            network__endpoint=f"https://localhost:{venue.port}",
            network__ca_file=str(ca),
            network__key_file=str(key_file),
        )
    assert {each["verdict"] for each in answer["checks"]} == {"ok"}, doctor_text(answer)
    groups = list(dict.fromkeys(each["group"] for each in answer["checks"]))
    assert groups == ["network", "clock", "products", "key", "fees", "disk", "terminal", "program"]
    assert answer["exit_code"] == 0
    assert answer["counts"] == {"ok": len(answer["checks"]), "warn": 0, "fail": 0, "skipped": 0}
    assert "TLS 1.3" in found(answer, "network", "REST")["words"]
    assert "WebSocket" in found(answer, "network", "own orders")["words"]
    assert json.loads(json.dumps(answer)) == answer


async def test_the_table_has_a_line_for_every_check_and_what_to_do_below_it() -> None:
    answer = await examined(FakeBroker(measure_clock=2_000 * MS), network__endpoint="http://127.0.0.1:9")
    lines = doctor_text(answer).splitlines()
    assert len([line for line in lines if line.startswith(("ok", "warn", "fail", "skipped"))]) == len(
        answer["checks"]
    )
    [at] = [number for number, line in enumerate(lines) if " clock " in line and line.startswith("fail")]
    assert "2,000 ms behind" in lines[at]
    assert lines[at + 1].strip() == "-> set it: timedatectl set-ntp true"
    assert lines[-1].startswith(f"{answer['counts']['ok']} ok")


@pytest.mark.parametrize(
    ("failures", "code"),
    [((), 0), ((1,), 1), ((1, 4), 4), ((4, 5, 1), 5), ((5,), 5)],
)
def test_the_exit_code_is_the_networks_before_the_keys_before_any_other(
    failures: tuple[int, ...], code: int
) -> None:
    checks = [Check("g", "n", Verdict.FAIL, "", exit_code=each) for each in failures]
    checks += [
        Check("g", "n", verdict, "", exit_code=5) for verdict in Verdict if verdict is not Verdict.FAIL
    ]
    assert exit_code(checks) == code


# -- network -------------------------------------------------------------------------------------------


async def test_a_certificate_that_nobody_vouches_for(good_tls: tuple[ssl.SSLContext, Path]) -> None:
    async with ScriptedVenue(stay, tls=good_tls[0]) as venue:
        answer = await examined(network__endpoint=f"https://localhost:{venue.port}")
    assert answer["exit_code"] == 5
    assert failed(answer) == {("network", "REST"), ("network", "market data"), ("network", "own orders")}
    check = found(answer, "network", "REST")
    assert check["words"].startswith("TLS failed: the certificate")
    assert "not trusted" in check["words"]
    assert "TCP" in check["words"]
    assert "--ca-file" in check["advice"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("wrong-host", "hostname mismatch"),
        ("expired", "certificate has expired"),
        ("self-signed", "not trusted"),
        ("tls-1.0", "tls 1.2 or newer"),
    ],
)
async def test_a_certificate_or_protocol_that_must_be_refused(tmp_path: Path, fault: str, said: str) -> None:
    context, ca = bad_context(tmp_path, fault)
    with tls_server(context) as port:
        answer = await examined(network__endpoint=f"https://localhost:{port}", network__ca_file=str(ca))
    assert answer["exit_code"] == 5
    for name in ("REST", "market data", "own orders"):
        assert said in found(answer, "network", name)["words"].lower()


async def test_a_closed_port() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = await examined(network__endpoint=f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert answer["exit_code"] == 5
    check = found(answer, "network", "market data")
    assert check["words"].startswith("TCP failed: nothing listens")
    assert "must be running" in check["advice"]


async def test_a_port_that_accepts_and_says_nothing(good_tls: tuple[ssl.SSLContext, Path]) -> None:
    async with FaultProxy(1) as proxy:
        proxy.door = Door.SILENT
        answer = await examined(network__endpoint=f"https://127.0.0.1:{proxy.port}", within_s=0.2)
    assert answer["exit_code"] == 5
    assert found(answer, "network", "REST")["words"].startswith("TLS failed")
    assert "did not answer in time" in found(answer, "network", "REST")["words"]


async def test_a_websocket_that_is_refused_though_the_port_is_open() -> None:
    async with ScriptedVenue(stay, refuse=lambda _: http_answer(HTTPStatus.FORBIDDEN)) as venue:
        answer = await examined(network__endpoint=f"http://127.0.0.1:{venue.port}")
    assert failed(answer) == {("network", "market data"), ("network", "own orders")}
    assert "opening the WebSocket failed" in found(answer, "network", "market data")["words"]
    assert "HTTP 403" in found(answer, "network", "market data")["words"]


def resolver(result: list[str] | Exception) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(host: str, port: int) -> list[str]:
        if isinstance(result, Exception):
            raise result
        return result

    return resolve


async def test_a_name_that_cannot_be_resolved() -> None:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    target = Target("REST", "https://api.coinbase.com")
    check = await check_target(target, tls_context(None), SystemClock(), resolve=resolver(error))
    assert (check.verdict, check.exit_code) == (Verdict.FAIL, 5)
    assert check.words.startswith("DNS failed")
    assert "DNS: Name or service not known" in check.words
    assert "resolver" in check.advice


async def test_an_address_that_fails_leaves_the_next_one_to_be_tried() -> None:
    async with ScriptedVenue(stay) as venue:
        target = Target("market data", f"ws://localhost:{venue.port}/advanced")
        check = await check_target(
            target, tls_context(None), SystemClock(), resolve=resolver(["127.0.0.2", "127.0.0.1"])
        )
    assert check.verdict is Verdict.OK
    assert "DNS 2 addresses" in check.words


async def test_a_certificate_file_that_cannot_be_read(tmp_path: Path) -> None:
    answer = await asyncio.to_thread(
        doctor,
        settings(network__endpoint="https://127.0.0.1:9", network__ca_file=str(tmp_path / "absent.pem")),
        AROUND,
        look_at_disk=lambda folder, clock: [],
    )
    assert failed(answer) == {("network", "certificate")}
    assert answer["exit_code"] == 5


async def test_a_venue_that_is_reached_but_does_not_answer_requests() -> None:
    async with ScriptedVenue(stay) as venue:
        answer = await examined(
            FakeBroker(open=BrokerError("HTTP_503", "the venue is down for maintenance")),
            network__endpoint=f"http://127.0.0.1:{venue.port}",
        )
    assert failed(answer) == {("network", "requests")}
    assert answer["exit_code"] == 5
    for group, name in (("clock", "clock"), ("products", "BTC-USD"), ("key", "rights"), ("fees", "fees")):
        assert found(answer, group, name)["verdict"] == "skipped"


# -- the venue -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset_ms", "verdict"),
    [
        (0, Verdict.OK),
        (250, Verdict.OK),
        (251, Verdict.WARN),
        (-251, Verdict.WARN),
        (1_000, Verdict.WARN),
        (1_001, Verdict.FAIL),
        (-2_000, Verdict.FAIL),
    ],
)
def test_clocks(offset_ms: int, verdict: Verdict) -> None:
    check = clock_check(offset_ms * MS)
    assert check.verdict is verdict
    assert ("ahead of" in check.words) == (offset_ms <= 0)
    assert bool(check.advice) == (verdict is not Verdict.OK)


async def test_a_clock_that_is_two_seconds_off_ends_with_1() -> None:
    async with ScriptedVenue(stay) as venue:
        answer = await examined(
            FakeBroker(measure_clock=-2_000 * MS), network__endpoint=f"http://127.0.0.1:{venue.port}"
        )
    assert failed(answer) == {("clock", "clock")}
    assert answer["exit_code"] == 1


@pytest.mark.parametrize(
    ("state", "verdict", "said"),
    [
        (None, Verdict.FAIL, "no such product"),
        (ProductState(BTC, is_tradable=False, note="trading is halted"), Verdict.FAIL, "trading is halted"),
        (ProductState(BTC, is_tradable=True, is_cancel_only=True), Verdict.WARN, "only be cancelled"),
        (ProductState(BTC, is_tradable=True, is_post_only=True), Verdict.WARN, "post-only"),
        (ProductState(BTC, is_tradable=True, is_limit_only=True), Verdict.OK, "market orders are not taken"),
        (ProductState(BTC, is_tradable=True, alias="BTC-EUR"), Verdict.OK, "under the name BTC-EUR"),
        (ProductState(BTC, is_tradable=True), Verdict.OK, "steps of 0.01 USD, size of 0.00000001 BTC"),
    ],
)
def test_products(state: ProductState | None, verdict: Verdict, said: str) -> None:
    check = product_check("BTC-USD", state)
    assert check.verdict is verdict
    assert said in check.words
    assert bool(check.advice) == (verdict is not Verdict.OK)


# -- the key -------------------------------------------------------------------------------------------


async def with_key(
    key_file: Path | None, broker: FakeBroker | None = None, mode: str = "paper", **given: Any
) -> Any:
    async with ScriptedVenue(stay) as venue:
        given |= {"engine__mode": mode, "network__endpoint": f"http://127.0.0.1:{venue.port}"}
        if key_file is None:
            given["credentials__vault"] = "/nowhere/credentials.vault"
        else:
            given["network__key_file"] = str(key_file)
        return await examined(broker, **given)


@pytest.mark.parametrize(("mode", "verdict", "code"), [("paper", "skipped", 0), ("live", "fail", 4)])
async def test_without_a_key_only_live_trading_fails(mode: str, verdict: str, code: int) -> None:
    broker = FakeBroker()
    answer = await with_key(None, broker, mode)
    assert found(answer, "key", "vault")["verdict"] == verdict
    assert answer["exit_code"] == code
    assert "permissions" not in broker.asked
    assert "fees" not in broker.asked


@pytest.mark.parametrize("named", [{"engine__mode": "live"}, {"credentials__key": "main"}])
async def test_a_key_out_of_the_vault(key_file: Path, named: dict[str, str]) -> None:
    broker = FakeBroker()
    async with ScriptedVenue(stay) as venue:
        given = {"network__endpoint": f"http://127.0.0.1:{venue.port}"} | named
        answer = await examined(broker, unlock=lambda config: read_key_file(key_file, "coinbase"), **given)
    assert found(answer, "key", "vault")["words"] == "taken out of the vault, a key of Advanced Trade (ES256)"
    assert "permissions" in broker.asked


async def test_a_vault_that_stays_locked() -> None:
    def stay_locked(config: Config) -> ApiKey:
        raise WrongPassword("wrong password, or the header is damaged")

    async with ScriptedVenue(stay) as venue:
        given = {"network__endpoint": f"http://127.0.0.1:{venue.port}", "engine__mode": "live"}
        answer = await examined(unlock=stay_locked, **given)
    assert found(answer, "key", "vault")["words"].startswith("wrong password")
    assert answer["exit_code"] == 4


def test_a_key_file_that_others_can_read(key_file: Path) -> None:
    key_file.chmod(0o644)
    answer = asyncio.run(with_key(key_file))
    assert answer["exit_code"] == 4
    assert f"chmod 600 {key_file}" in found(answer, "key", "file")["words"]


def test_a_key_of_the_other_api(key_file: Path) -> None:
    key_file.write_text(json.dumps({"key": "k", "secret": "c2VjcmV0", "passphrase": "p"}))
    answer = asyncio.run(with_key(key_file))
    assert answer["exit_code"] == 4
    assert "exchange.name = coinbase-exchange" in found(answer, "key", "file")["words"]


@pytest.mark.parametrize(
    ("rights", "mode", "verdict"),
    [
        ((True, True, False), "live", "ok"),
        ((True, True, True), "paper", "fail"),
        ((True, False, False), "paper", "warn"),
        ((True, False, False), "live", "fail"),
        ((False, True, False), "paper", "fail"),
        ((True, None, None), "live", "warn"),
    ],
)
async def test_what_a_key_may_do(
    key_file: Path, rights: tuple[bool | None, ...], mode: str, verdict: str
) -> None:
    view, trade, transfer = rights
    answer = await with_key(key_file, FakeBroker(permissions=Permissions(view, trade, transfer)), mode)
    assert found(answer, "key", "rights")["verdict"] == verdict
    assert answer["exit_code"] == (5 if verdict == "fail" else 0)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("UNAUTHORISED", "the venue does not take this key"),
        BrokerError("TIMEOUT", "no answer within 2 s"),
    ],
)
async def test_a_venue_that_does_not_say_what_a_key_may_do(key_file: Path, error: BrokerError) -> None:
    answer = await with_key(key_file, FakeBroker(permissions=error))
    assert found(answer, "key", "rights")["words"] == str(error)
    assert answer["exit_code"] == 5


def test_no_secret_is_told(key_file: Path) -> None:
    answer = asyncio.run(with_key(key_file))
    secret = json.loads(key_file.read_text())["privateKey"].splitlines()[1]
    assert secret not in json.dumps(answer) + doctor_text(answer)


async def test_fees_that_the_configuration_has_wrong(key_file: Path) -> None:
    async with ScriptedVenue(stay) as venue:
        answer = await examined(
            network__endpoint=f"http://127.0.0.1:{venue.port}",
            network__key_file=str(key_file),
            fees__maker_bps="25",
        )
    check = found(answer, "fees", "fees")
    assert check["verdict"] == "warn"
    assert check["words"] == "maker 4 bps, taker 6 bps (Top 2); the configuration says fees.maker_bps = 25"


@pytest.mark.parametrize(
    ("mode", "spread", "verdict"), [("live", "7.9", "fail"), ("live", "8", "ok"), ("paper", "7.9", "ok")]
)
async def test_a_spread_that_the_accounts_fees_forbid(
    key_file: Path, mode: str, spread: str, verdict: str
) -> None:
    answer = await with_key(key_file, mode=mode, strategy__base_spread_bps=spread)
    check = found(answer, "fees", "fees")
    assert check["verdict"] == verdict
    assert ("at least 8 bp" in check["advice"]) is (verdict == "fail")


# -- the machine ---------------------------------------------------------------------------------------


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    checks = check_disk(tmp_path, SystemClock())
    assert [check.name for check in checks] == ["writable", "space", "sync"]
    assert checks[0].verdict is Verdict.OK
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert f"looked at {tmp_path}" in check_disk(folder, SystemClock())[0].words
    assert not folder.exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    [check] = check_disk(file / "sessions", SystemClock())
    assert (check.verdict, check.exit_code) == (Verdict.FAIL, 1)
    assert "--data-dir" in check.advice


@pytest.mark.parametrize(("sync_ms", "verdict"), [(1, Verdict.OK), (26, Verdict.WARN), (1_001, Verdict.FAIL)])
def test_a_disk_that_is_slow(tmp_path: Path, sync_ms: int, verdict: Verdict) -> None:
    clock = ManualClock()

    def fsync(_: int) -> None:
        clock.advance(sync_ms * MS)

    check = check_disk(tmp_path, clock, fsync=fsync)[2]
    assert check.verdict is verdict
    assert f"{sync_ms:.1f} ms" in check.words


def test_one_slow_write_among_many_pulls_the_quotes_too() -> None:
    assert sync_check([MS] * 8 + [1_100 * MS]).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(255, Verdict.FAIL), (256, Verdict.WARN), (2_047, Verdict.WARN), (2_048, Verdict.OK)],
)
def test_room_on_the_disk(free: int, verdict: Verdict) -> None:
    assert free_check(free * MIB).verdict is verdict


def terminal(**given: Any) -> dict[str, Verdict]:
    environ = {"TERM": "xterm-256color"} | given.pop("environ", {})
    usual = {"is_terminal": True, "columns": 120, "rows": 40, "encoding": "utf-8"}
    around = Surroundings(environ=environ, least=(60, 16), version="0.0", exposures=(), **(usual | given))
    return {check.name: check.verdict for check in check_terminal(around)}


@pytest.mark.parametrize(
    ("given", "name", "verdict"),
    [
        ({"is_terminal": False}, "terminal", Verdict.SKIPPED),
        ({"columns": 59}, "size", Verdict.WARN),
        ({"columns": 79}, "size", Verdict.WARN),
        ({"rows": 15}, "size", Verdict.WARN),
        ({"columns": 80, "rows": 24}, "size", Verdict.OK),
        ({"environ": {"TERM": "dumb"}}, "colours", Verdict.FAIL),
        ({"environ": {"TERM": "vt100"}}, "colours", Verdict.WARN),
        ({"environ": {"TERM": "vt100", "COLORTERM": "truecolor"}}, "colours", Verdict.OK),
        ({"environ": {"NO_COLOR": "1"}}, "colours", Verdict.OK),
        ({"encoding": "UTF8"}, "letters", Verdict.OK),
        ({"encoding": "ANSI_X3.4-1968"}, "letters", Verdict.WARN),
        ({"encoding": "no such thing"}, "letters", Verdict.WARN),
    ],
)
def test_terminals(given: dict[str, Any], name: str, verdict: Verdict) -> None:
    assert terminal(**given)[name] is verdict


@pytest.mark.parametrize(("most", "verdict"), [(255, Verdict.WARN), (256, Verdict.OK), (-1, Verdict.OK)])
def test_limits_of_open_files(most: int, verdict: Verdict) -> None:
    assert descriptors_check(most).verdict is verdict


@pytest.mark.parametrize(
    ("exposures", "verdict", "words"),
    [
        ((), Verdict.OK, "no core file"),
        (("its memory is read",), Verdict.WARN, "its memory is read"),
        (("one thing", "another"), Verdict.WARN, "one thing and another"),
    ],
)
def test_what_the_process_is_open_to(exposures: tuple[str, ...], verdict: Verdict, words: str) -> None:
    check = hardening_check(exposures)
    assert check.verdict is verdict
    assert words in check.words
    assert bool(check.advice) == bool(exposures)


def test_the_program_says_what_it_is() -> None:
    assert "pinnacle-tui 0.0, Python 3." in check_program(AROUND)[0].words


# -- the command, against the local venue ----------------------------------------------------------------


async def command(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command with --json; exit code and answer."""
    printed: list[str] = []

    def run() -> int:
        result = CliRunner().invoke(command_of_doctor, [*arguments, "--json"], standalone_mode=False)
        assert result.exception is None, result.exception
        printed.append(result.stdout)
        return int(result.return_value)

    code = await asyncio.to_thread(run)
    return code, json.loads(printed[0])


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[tuple[LocalVenue, list[str]]]:
    """A local venue with TLS, and the options that lead there."""
    files = tls_files(tmp_path / "tls", SystemClock())
    key = make_cdp_key()
    async with LocalVenue(cdp_keys=[key], ssl_context=server_context(files)) as venue:
        port = venue.url.rpartition(":")[2]
        options = ["--endpoint", f"https://localhost:{port}", "--ca-file", str(files.ca)]
        options += [
            "--key-file",
            str(write_key(tmp_path / "keys", key)),
            "--data-dir",
            str(tmp_path / "data"),
        ]
        yield venue, options


async def test_the_command_finds_everything_well_at_a_local_venue(
    venue: tuple[LocalVenue, list[str]],
) -> None:
    code, answer = await command("--mode", "live", "--strategy", "glft", "--symbol", "ETH-USD", *venue[1])
    assert code == answer["exit_code"] == 0, doctor_text(answer)
    assert found(answer, "key", "rights")["words"] == "view yes, trade yes, transfer no"
    assert found(answer, "products", "ETH-USD")["verdict"] == "ok"
    assert found(answer, "fees", "fees")["words"].startswith("maker ")


async def test_the_command_says_that_a_product_is_halted(venue: tuple[LocalVenue, list[str]]) -> None:
    venue[0].core.products["BTC-USD"].trading_disabled = True
    code, answer = await command(*venue[1])
    assert code == 1
    assert failed(answer) == {("products", "BTC-USD")}


async def test_the_command_finds_a_key_that_the_venue_does_not_know(
    venue: tuple[LocalVenue, list[str]], tmp_path: Path
) -> None:
    stranger = write_key(tmp_path / "other", make_cdp_key())
    code, answer = await command(*venue[1], "--key-file", str(stranger))
    assert code == 5
    assert failed(answer) >= {("key", "rights")}


async def test_the_command_refuses_a_key_that_may_transfer(tmp_path: Path) -> None:
    key = make_cdp_key(rights=Rights(transfer=True))
    async with LocalVenue(cdp_keys=[key]) as venue:
        code, answer = await command(
            "--endpoint", venue.url, "--key-file", str(write_key(tmp_path / "keys", key))
        )
    assert code == 5
    assert failed(answer) == {("key", "rights")}


async def test_the_command_finds_a_clock_that_is_two_seconds_off(tmp_path: Path) -> None:
    class Ahead(SystemClock):
        def wall_ns(self) -> int:
            return super().wall_ns() + 2_000 * MS

    async with LocalVenue(clock=Ahead()) as venue:
        code, answer = await command("--endpoint", venue.url, "--data-dir", str(tmp_path))
    assert code == 1
    assert failed(answer) == {("clock", "clock")}
    assert "behind the venue's clock" in found(answer, "clock", "clock")["words"]
