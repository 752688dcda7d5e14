"""The configuration: precedence and sources, errors that name the place, and nothing half-applied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from engine import config_file
from engine.commands import config as about
from engine.config import FLAGS, MODES, Config, FeeSettings, Resolved, load_config, schema, variable_name
from engine.core.errors import UsageError
from engine.core.events import Severity

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration file and give its path."""

    def write_text(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


@pytest.fixture
def empty(write: Write) -> Path:
    """A configuration file that sets nothing."""
    return write("")


def reason(*args: object, **kwargs: object) -> str:
    """The message with which a configuration is refused."""
    with pytest.raises(UsageError) as refused:
        load_config(*args, **kwargs)  # type: ignore[arg-type]
    assert refused.value.exit_code == 2
    return str(refused.value)


# -- precedence and sources ----------------------------------------------------------------------

LAYERS = ("default", "file", "environment", "set", "flag")


@pytest.mark.parametrize("strongest", range(len(LAYERS)), ids=LAYERS)
def test_the_stronger_layer_wins_and_is_named(strongest: int, write: Write) -> None:
    path = write("[simulator]\nseed = 11\n" if strongest >= 1 else "")
    env = {"PINNACLE_SIMULATOR_SEED": "12"} if strongest >= 2 else {}
    overrides = ["simulator.seed=13"] if strongest >= 3 else []
    flags = {"simulator.seed": "14"} if strongest >= 4 else {}

    resolved = load_config(path, env, overrides, flags)

    assert resolved.config.simulator.seed == (1, 11, 12, 13, 14)[strongest]
    expected = ("default", f"{path}:2", "environment PINNACLE_SIMULATOR_SEED", "--set", "--seed")[strongest]
    assert resolved.sources["simulator.seed"] == expected


def test_the_last_of_two_overrides_wins(empty: Path) -> None:
    resolved = load_config(empty, overrides=["strategy.levels=2", "strategy.levels=4"])
    assert resolved.config.strategy.levels == 4


def test_every_key_has_a_value_and_a_source(empty: Path) -> None:
    resolved = load_config(empty)
    assert list(resolved.sources) == list(schema().keys)
    for name, key in schema().keys.items():
        assert resolved.value(name) == key.default_for("sim")


def test_every_key_can_be_set_from_the_environment(empty: Path) -> None:
    defaults = load_config(empty)
    for name, key in schema().keys.items():
        value = defaults.value(name)
        if value is None:
            continue
        text = ",".join(value) if isinstance(value, tuple) else str(value).lower() * isinstance(value, bool)
        resolved = load_config(empty, {variable_name(key): text or str(value)})
        assert resolved.value(name) == value
        assert resolved.sources[name] == f"environment {variable_name(key)}"


def test_flags_name_real_keys() -> None:
    assert set(FLAGS) <= set(schema().keys)


def test_lines_are_those_of_the_file(write: Write) -> None:
    text = """\
# a comment
strategy.levels = 2            # a dotted key

[engine]
symbols = [   # a list over lines
  "BTC-USD",
  "ETH-USD",
]
input = '''
[not a header]
mode = "not a key"
'''
mode = "replay"
[fees]
"maker_bps" = 1.5
"""
    path = write(text.replace("\n", "\r\n"))
    resolved = load_config(path)
    lines = {
        name: int(source.rpartition(":")[2])
        for name, source in resolved.sources.items()
        if source.startswith(f"{path}:")
    }
    assert lines == {
        "strategy.levels": 2,
        "engine.symbols": 5,
        "engine.input": 9,
        "engine.mode": 13,
        "fees.maker_bps": 15,
    }
    assert resolved.config.engine.symbols == ("BTC-USD", "ETH-USD")
    assert resolved.config.engine.input == '[not a header]\nmode = "not a key"\n'
    assert resolved.file == path


# -- which file ----------------------------------------------------------------------------------


def test_the_file_comes_from_the_flag_then_the_environment_then_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {seed: tmp_path / f"{seed}" / "pinnacle-tui" / "config.toml" for seed in (1, 2, 3)}
    for seed, path in paths.items():
        path.parent.mkdir(parents=True)
        path.write_text(f"[simulator]\nseed = {seed}0\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "3"))
    monkeypatch.setattr("sys.platform", "linux")
    env = {"PINNACLE_CONFIG": str(paths[2])}

    assert load_config(paths[1], env).config.simulator.seed == 10
    assert load_config(None, env).config.simulator.seed == 20
    assert config_file.locate(None, {}).is_required is False


def test_no_file_at_all_means_defaults(tmp_path: Path) -> None:
    place = config_file.Place(tmp_path / "none.toml", "the platform's default", False)
    assert config_file.read(place) is None


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert reason(path) == f"{path}: there is no such configuration file (--config)"
    assert "environment PINNACLE_CONFIG" in reason(None, {"PINNACLE_CONFIG": str(path)})


def test_a_folder_and_bytes_that_are_no_text_are_errors(tmp_path: Path) -> None:
    assert reason(tmp_path).startswith(f"{tmp_path}: cannot read the configuration")
    path = tmp_path / "config.toml"
    path.write_bytes(b"[engine]\nmode = '\xff'\n")
    assert reason(path) == f"{path}: not UTF-8 text (byte 17)"


# -- keys and sections that do not exist -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[strategy]\n\nlevls = 3\n", 3, "unknown key strategy.levls; did you mean strategy.levels?"),
        ("\n[stratgy]\n", 2, "unknown section stratgy; did you mean strategy?"),
        ("[stratgy]\nlevels = 2\n", 1, "unknown section stratgy; did you mean strategy?"),
        ("mode = 'sim'\n", 1, "unknown key mode; did you mean engine.mode?"),
        ("[engine]\nzzz = 1\n", 2, "unknown key engine.zzz"),
        ("engine = 3\n", 1, "engine is a section; name a key in it, as in engine.mode"),
        ("[engine.mode]\nx = 1\n", 1, "engine.mode = a table: expected sim | paper | live | replay"),
        ("[engine.mode.deep]\n", 1, "unknown key engine.mode.deep; did you mean engine.mode?"),
        ("[[engine]]\nmode = 'sim'\n", 1, "engine is a section; name a key in it, as in engine.mode"),
    ],
)  # fmt: skip
def test_an_unknown_key_names_file_line_key_and_the_nearest(
    write: Write, text: str, line: int, said: str
) -> None:
    path = write(text)
    assert reason(path) == f"{path}:{line}: {said}"


def test_an_unknown_section_with_no_likeness_lists_those_there_are(write: Write) -> None:
    path = write("[zzzz]\n")
    assert reason(path) == f"{path}:1: unknown section zzzz; there are {', '.join(schema().sections)}"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("PINNACLE_STRATEGY_LEVEL", "unknown key strategy.level; did you mean strategy.levels?"),
        ("PINNACLE_STRATGY_LEVELS", "there is no such setting; did you mean PINNACLE_STRATEGY_LEVELS?"),
    ],
)
def test_an_unknown_variable_is_an_error(empty: Path, name: str, said: str) -> None:
    assert reason(empty, {name: "2"}) == f"environment {name}: {said}"


def test_variables_that_are_no_settings_are_left_alone(empty: Path) -> None:
    env = {
        "PINNACLE_MASTER_PASSWORD_FILE": "/run/secret",
        "STRATEGY_LEVELS": "0",
        "PINNACLES_ENGINE_MODE": "x",
    }
    assert load_config(empty, env) == load_config(empty)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("strategy.levls=2", "--set: unknown key strategy.levls; did you mean strategy.levels?"),
        ("strategy.levels", "--set strategy.levels: must be key=value, for example strategy.levels=2"),
        ("=2", "--set: unknown key "),
        ("levels=2", "--set: unknown key levels; did you mean strategy.levels?"),
        ("strategy=2", "--set: strategy is a section; name a key in it, as in strategy.base_spread_bps"),
    ],
)
def test_an_override_that_names_no_key(empty: Path, override: str, said: str) -> None:
    assert reason(empty, overrides=[override]) == said


# -- malformed TOML ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "position", "word"),
    [
        ("[engine\n", "1:8", "table declaration"),
        ("[engine]\nmode == 'sim'\n", "2:7", "Invalid value"),
        ("[engine]\nmode = 'sim'\nmode = 'sim'\n", "3:13", "overwrite"),
        ("[engine]\nsymbols = [\n", "3:1", "Invalid value"),
        ("[engine]\n[engine]\n", "2:8", "twice"),
    ],
)
def test_malformed_toml_names_file_line_and_column(write: Write, text: str, position: str, word: str) -> None:
    path = write(text)
    said = reason(path)
    assert said.startswith(f"{path}:{position}: not valid TOML: ")
    assert word in said


def test_toml_that_cannot_be_parsed_for_its_size_is_refused_too(write: Write) -> None:
    assert "not valid TOML" in reason(write("a = " + "[" * 100_000))
    assert "not valid TOML" in reason(write("[engine]\ntimer_interval_ms = " + "9" * 5000 + "\n"))


# -- types and bounds ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("strategy.levels", "2.0", "strategy.levels = 2: expected integer"),
        ("strategy.levels", "true", "strategy.levels = true: expected integer"),
        ("strategy.levels", '"2"', 'strategy.levels = "2": expected integer (write it without quotes)'),
        ("strategy.levels", "0", "strategy.levels = 0: must be at least 1"),
        ("strategy.levels", "-3", "strategy.levels = -3: must be at least 1"),
        ("strategy.levels", "nan", "strategy.levels = NaN: expected integer"),
        ("strategy.base_spread_bps", "nan", "strategy.base_spread_bps = NaN: must be a finite number"),
        ("strategy.base_spread_bps", "-inf", "strategy.base_spread_bps = -Infinity: must be a finite number"),
        ("strategy.base_spread_bps", "-1", "strategy.base_spread_bps = -1: must be above 0 bp"),
        ("strategy.inventory_skew_factor", "1.5", "strategy.inventory_skew_factor = 1.5: must be at most 1"),
        ("strategy.auto_hedge_enabled", "1", "strategy.auto_hedge_enabled = 1: expected true or false"),
        ("simulator.feed_batch_ms", "true", "simulator.feed_batch_ms = true: expected number in ms"),
        ("engine.mode", "3", "engine.mode = 3: expected sim | paper | live | replay"),
        ("engine.mode", '"demo"', "engine.mode = 'demo': must be one of sim, paper, live, replay"),
        (
            "engine.strategy",
            '"glfd"',
            "engine.strategy = 'glfd': must be one of basic, avellaneda-stoikov, glft; did you mean glft?",
        ),
        ("engine.symbols", '"A-B"', 'engine.symbols = "A-B": expected list of text (write it in brackets)'),
        ("engine.symbols", "[1]", "engine.symbols = [1]: expected list of text"),
        ("engine.symbols", "[]", "engine.symbols is empty: name at least one product, for example BTC-USD"),
        ("engine.symbols", '["btc"]', "engine.symbols = 'btc': must be a product such as BTC-USD"),
        ("engine.symbols", '["A-B", "A-B"]', "engine.symbols = A-B,A-B: names a product twice"),
        ("engine.speed", '"fast"', 'engine.speed = "fast": expected max or number'),
        ("engine.speed", "0", "engine.speed = 0: must be above 0"),
        ("engine.duration_s", "-5", "engine.duration_s = -5: must be above 0 s"),
        ("simulator.seed", "-1", "simulator.seed = -1: must be at least 0"),
        ("simulator.seed", str(2**63), f"simulator.seed = {2**63}: must be within 64 bits"),
        ("fees.maker_bps", "0.00001", "fees.maker_bps = 0.00001: rates are kept to 0.0001 bps"),
        ("fees.taker_bps", "1e30", f"fees.taker_bps = {10**30}: more than 28 digits; that cannot be meant"),
        ("fees.taker_bps", "1979-05-27", "fees.taker_bps = 1979-05-27: expected number in bps"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_place_key_value_and_what_was_expected(
    write: Write, key: str, value: str, said: str
) -> None:
    section, _, field = key.partition(".")
    path = write(f"# one\n[{section}]\n{field} = {value}\n")
    assert reason(path) == f"{path}:3: {said}"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("strategy.levels=two", "strategy.levels = 'two': expected integer"),
        ("strategy.levels=1.0", "strategy.levels = '1.0': expected integer"),
        ("strategy.levels=", "strategy.levels = '': expected integer"),
        ("strategy.levels=\u0663", "strategy.levels = '\u0663': expected integer"),
        ("strategy.base_spread_bps=NaN", "strategy.base_spread_bps = NaN: must be a finite number"),
        ("strategy.base_spread_bps=sNaN", "strategy.base_spread_bps = sNaN: must be a finite number"),
        ("strategy.base_spread_bps=-0.5", "strategy.base_spread_bps = -0.5: must be above 0 bp"),
        ("strategy.auto_hedge_enabled=yes", "strategy.auto_hedge_enabled = 'yes': expected true or false"),
        ("engine.speed=inf", "engine.speed = inf: must be a finite number"),
        ("engine.speed=-1", "engine.speed = -1: must be above 0"),
        ("engine.symbols=,", "engine.symbols is empty: name at least one product, for example BTC-USD"),
        ("simulator.seed=" + "9" * 5000, "simulator.seed = '" + "9" * 5000 + "': expected integer"),
    ],
)
def test_a_wrong_override_says_so(empty: Path, override: str, said: str) -> None:
    assert reason(empty, overrides=[override]) == f"--set: {said}"


def test_text_becomes_what_the_key_holds(empty: Path) -> None:
    overrides = [
        "engine.symbols = BTC-USD, ETH-USD",
        "strategy.auto_hedge_enabled=TRUE",
        "strategy.base_spread_bps=12.345678901",
        "engine.speed=2.5",
        "engine.duration_s=60",
        "simulator.drift_pct_per_hour=-1.5",
    ]
    config = load_config(empty, overrides=overrides).config
    assert config.engine.symbols == ("BTC-USD", "ETH-USD")
    assert config.strategy.auto_hedge_enabled is True
    assert config.strategy.base_spread_bps == Decimal("12.345678901")
    assert config.engine.speed_factor == Decimal("2.5")
    assert config.engine.duration_s == 60
    assert config.simulator.drift_pct_per_hour == -1.5
    assert isinstance(config.simulator.drift_pct_per_hour, float)


def test_numbers_of_the_file_are_exact(write: Write) -> None:
    path = write("[strategy]\norder_quantity = 0.1\n")
    assert load_config(path).config.strategy.order_quantity == Decimal("0.1")


def test_an_optional_key_can_be_unset_again(write: Write) -> None:
    path = write("[engine]\nduration_s = 5\nspeed = 'max'\n")
    assert load_config(path).config.engine.duration_s == 5
    resolved = load_config(path, overrides=["engine.duration_s="])
    assert resolved.config.engine.duration_s is None
    assert resolved.sources["engine.duration_s"] == "--set"
    assert resolved.config.engine.speed_factor is None


# -- nothing half applied --------------------------------------------------------------------------


def test_a_rule_between_keys_names_who_set_them(write: Write) -> None:
    path = write("[strategy]\nmin_spread_bps = 20\n")
    said = "strategy.base_spread_bps = 10: must be at least min_spread_bps = 20 bp"
    low, base = "strategy.min_spread_bps", "strategy.base_spread_bps"
    assert reason(path) == f"{said} ({base}: default; {low}: {path}:2)"
    both = "strategy.base_spread_bps = 12: must be at least min_spread_bps = 20 bp"
    assert reason(path, overrides=["strategy.base_spread_bps=12"]) == (
        f"{both} ({base}: --set; {low}: {path}:2)"
    )


def test_numbers_in_messages_have_no_exponent(write: Write) -> None:
    path = write("")
    said = reason(path, overrides=["strategy.order_quantity=1E+9"])
    assert said.startswith("strategy.order_quantity = 1000000000: must be at most max_order_quantity = 1")
    assert reason(path, overrides=["risk.band_bps=1e20"]) == (
        f"--set: risk.band_bps = 1{'0' * 20}: must be at most 500 bp"
    )


def test_a_value_that_a_stronger_layer_covers_is_checked_all_the_same(write: Write) -> None:
    path = write("[strategy]\nlevels = 0\n")
    assert "strategy.levels = 0" in reason(path, overrides=["strategy.levels=2"])


def test_one_wrong_key_refuses_the_whole_configuration(write: Write) -> None:
    path = write("[strategy]\nlevels = 2\n[fees]\nmaker_bps = 1000\n")
    assert reason(path) == f"{path}:4: fees.maker_bps = 1000: must be at most 200 bps"
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_config(write("")).config.engine.mode = "replay"  # type: ignore[misc]


# -- what depends on the mode ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "maker", "taker"), [("sim", 2, 6), ("replay", 60, 120), ("paper", 60, 120), ("live", 60, 120)]
)
def test_fees_default_to_those_of_the_modes_venue(empty: Path, mode: str, maker: int, taker: int) -> None:
    resolved = load_config(empty, flags={"engine.mode": mode})
    assert (resolved.config.fees.maker_bps, resolved.config.fees.taker_bps) == (maker, taker)
    assert resolved.sources["fees.maker_bps"] == f"default of {mode}"
    assert resolved.config.fees.schedule().break_even_bps == 2 * maker


def test_fees_that_somebody_set_hold_in_every_mode(write: Write) -> None:
    path = write("[fees]\nmaker_bps = 3\ntaker_bps = 4\n")
    for mode in MODES:
        resolved = load_config(path, flags={"engine.mode": mode})
        assert resolved.config.fees == FeeSettings(Decimal(3), Decimal(4))
        assert resolved.sources["fees.taker_bps"] == f"{path}:3"


def test_notices_tell_fees_their_origin_and_a_spread_below_break_even(empty: Path) -> None:
    (sim,) = load_config(empty).fee_notices()
    told = "fees: maker 2 bps, taker 6 bps (the built-in exchange); break-even spread 4 bps"
    assert sim == (Severity.INFO, told)
    fees, warning = load_config(empty, flags={"engine.mode": "replay"}).fee_notices()
    assert "maker 60 bps, taker 120 bps (Coinbase Advanced entry tier as of 2026-09" in fees[1]
    assert warning == (
        Severity.WARNING,
        "strategy.base_spread_bps = 10 is below the break-even spread of 120 bps: "
        "a round trip of two maker fills loses money",
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            {"engine.mode": "live"},
            "live mode needs engine.live = true in the configuration; the typed name of what is traded "
            "(--arm BTC-USD). Nothing was sent",
        ),
        (
            {"engine.mode": "paper", "engine.speed": "2"},
            "engine.speed = 2: a market on the network has its own pace; paper mode runs at 1",
        ),
        ({"engine.mode": "replay"}, "replay mode reads a recording: name it with --input FILE"),
        (
            {"engine.input": "x.gz"},
            "engine.input = x.gz: only replay mode reads a recording, and the mode is sim",
        ),
    ],
)
def test_settings_no_run_can_start_from(empty: Path, flags: dict[str, str], said: str) -> None:
    config = load_config(empty, flags=flags).config
    with pytest.raises(UsageError) as refused:
        config.require_runnable()
    assert str(refused.value).startswith(said)


LIVE = {"engine.mode": "live", "network.key_file": "key.json", "engine.symbols": "BTC-USD,ETH-USD"}


def test_only_the_basic_model_is_warned_of_a_spread_below_the_fees(empty: Path) -> None:
    for strategy, is_fine in (("basic", False), ("glft", True), ("avellaneda-stoikov", True)):
        overrides = [f"engine.strategy={strategy}", "engine.live=true"]
        resolved = load_config(empty, overrides=overrides, flags=LIVE)
        assert (resolved.config.edge_warning() is None) is is_fine
        assert (resolved.config.edge_violation() is None) is is_fine


def test_live_mode_says_each_thing_that_is_missing(empty: Path) -> None:
    armed = ("BTC-USD", "ETH-USD")
    allowed = load_config(empty, overrides=["engine.live=true"], flags=LIVE).config
    allowed.require_runnable(armed)
    assert "1000 an order" in allowed.limits_sentence().replace(",", "")
    for config, typed, missing in (
        (load_config(empty, flags=LIVE).config, armed, "engine.live = true"),
        (allowed, ("BTC-USD",), "--arm ETH-USD"),
        (allowed, ("btc-usd", "ETH-USD"), "--arm BTC-USD"),
    ):
        with pytest.raises(UsageError, match=missing):
            config.require_runnable(typed)


def test_settings_a_run_can_start_from(empty: Path) -> None:
    load_config(empty, flags={"engine.mode": "paper"}).config.require_runnable()
    load_config(empty).config.require_runnable()
    load_config(empty, flags={"engine.mode": "replay", "engine.input": "x.gz"}).config.require_runnable()


# -- the commands ----------------------------------------------------------------------------------


def test_the_written_file_is_valid_sets_nothing_and_holds_every_default(tmp_path: Path, empty: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    assert about.init(path, {}) == {"v": 1, "file": str(path), "keys": len(schema().keys)}
    assert about.check(path, {})["keys_set"] == []

    keys = {key.name for key in schema().keys.values() if key.default is not None}
    opened, section = [], ""
    for line in path.read_text().splitlines():
        section = line.strip("[]") if line.startswith("[") else section
        name = f"{section}.{line.partition(' =')[0][1:]}"
        opened.append(line[1:] if name in keys else line)
    path.write_text("\n".join(opened))
    resolved = load_config(path)
    assert resolved.config == load_config(empty).config
    set_there = [name for name, source in resolved.sources.items() if source.startswith(str(path))]
    assert set_there == [key.name for key in schema().keys.values() if key.default is not None]


def test_an_existing_file_is_not_overwritten(empty: Path) -> None:
    with pytest.raises(UsageError, match="exists; nothing was written"):
        about.init(empty, {})
    assert empty.read_text() == ""


def test_a_missing_file_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no configuration file to check"):
        about.check(tmp_path / "none.toml", {})


def test_check_reads_the_file_alone(write: Write) -> None:
    path = write("[strategy]\nlevels = 2\n")
    answer = about.check(None, {"PINNACLE_CONFIG": str(path), "PINNACLE_STRATEGY_LEVELS": "0"})
    assert answer == {"v": 1, "file": str(path), "valid": True, "keys_set": ["strategy.levels"]}


def test_show_gives_plain_values_with_unit_and_source(empty: Path) -> None:
    resolved = load_config(empty, overrides=["strategy.order_quantity=1.2300e-2", "engine.speed=max"])
    answer = about.show(resolved)
    by_key = {entry.pop("key"): entry for entry in answer["keys"]}
    assert by_key["strategy.order_quantity"] == {"value": "0.0123", "unit": "base", "source": "--set"}
    assert by_key["engine.symbols"] == {"value": ["BTC-USD"], "unit": "", "source": "default"}
    assert by_key["engine.speed"]["value"] == "max"
    assert by_key["engine.input"]["value"] is None
    assert by_key["fees.maker_bps"] == {"value": "2", "unit": "bps", "source": "default of sim"}
    text = about.show_text(resolved).splitlines()
    assert len(text) == 1 + len(schema().keys)
    assert [line.split() for line in text if line.startswith("strategy.order_quantity")] == [
        ["strategy.order_quantity", "0.0123", "base", "--set"]
    ]


def test_the_schema_tells_everything_about_a_key() -> None:
    by_key = {entry["key"]: entry for entry in about.describe()["keys"]}
    assert list(by_key) == list(schema().keys)
    skew = by_key["strategy.inventory_skew_factor"]
    assert (skew["type"], skew["default"], skew["at_least"], skew["at_most"]) == ("number", "0.5", "0", "1")
    assert skew["environment"] == "PINNACLE_STRATEGY_INVENTORY_SKEW_FACTOR"
    assert by_key["fees.maker_bps"]["default_by_mode"]["replay"] == "60"
    assert all(entry["help"] for entry in by_key.values())
    assert len(about.describe_text().splitlines()) == 1 + len(by_key)


def test_the_tree_is_what_the_schema_describes() -> None:
    assert list(schema().sections) == [entry.name for entry in dataclasses.fields(Config)]
    assert isinstance(load_config, Callable)
    assert {field.name for field in dataclasses.fields(Resolved)} == {"config", "sources", "file"}
