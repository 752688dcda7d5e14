"""Every binding has a name and is alone on its key; a keymap file moves keys and cannot break them."""

from __future__ import annotations

import string
from itertools import combinations
from pathlib import Path

import pytest
from console.fakes import FakeSession, console_app, settle
from console.views import PAUSED_BY_HAND, product_view, view
from hypothesis import given
from hypothesis import strategies as st

from engine.link.messages import CommandName
from pinnacle_tui.bound_keys import (
    BoundKey,
    Place,
    all_bindings,
    is_character,
    key_of,
    parse_key,
    written_key,
)
from pinnacle_tui.keymap import PRESETS, Keymap

BINDINGS = all_bindings()
BY_ID = {bound.id: bound for bound in BINDINGS}
TAKING_TURNS = {
    frozenset(pair)
    for pair in (
        # Only one of them does anything at a time, says check_action.
        ("app.pause", "app.resume"),
        ("app.freeze", "app.unfreeze"),
        # A panel's escape clears its text or selection; with nothing to clear it belongs to the screen.
        *(
            (f"{panel}.clear", screen)
            for panel in ("blotter", "log", "overview", "settings", "trades")
            for screen in ("screen.back", "main.all")
        ),
        # Enter ends typing while something is typed.
        ("blotter.keep", "blotter.explain"),
        ("settings.keep", "settings.edit"),
        ("overview.keep", "overview.choose"),
        # While a text is searched for, n leads to the next line that has it.
        ("log.match_next", "app.next_product"),
        ("log.match_previous", "app.product_before"),
        # In the past there is nothing to pause.
        *(
            (f"playback.{playing}", f"app.{quoting}")
            for playing in ("play", "hold")
            for quoting in ("pause", "resume")
        ),
        ("playback.play", "playback.hold"),
        # What is past has no alert that waits for anybody.
        ("playback.next_alert", "app.acknowledge"),
        # While a session is played back its keys come first.
        ("playback.step", "blotter.tab_right"),
        ("playback.step_back", "blotter.tab_left"),
        ("playback.start", "ladder.follow"),
        ("playback.start", "depth_chart.fit"),
        *(
            (f"playback.{of_session}", f"{panel}.{of_list}")
            for panel in ("blotter", "log", "overview", "settings", "trades")
            for of_session, of_list in (("start", "first"), ("end", "last"))
        ),
    )
}


def load(tmp_path: Path, text: str) -> Keymap:
    path = tmp_path / "keymap.toml"
    path.write_text(text)
    return Keymap.load(path)


# -- every binding ---------------------------------------------------------------------------------


def test_every_binding_has_an_id_and_a_tooltip():
    assert len(BINDINGS) > 50
    assert [bound for bound in BINDINGS if not bound.id or not bound.tooltip] == []


def test_ids_are_unique_in_their_class_and_mean_the_same_everywhere():
    for bound in BINDINGS:
        twins = [other for other in BINDINGS if other.id == bound.id]
        assert len([other for other in twins if other.owner == bound.owner]) == 1, bound
        assert len({(other.keys, other.action, other.place) for other in twins}) == 1, bound


def test_no_key_means_two_things_at_once():
    shared = {
        frozenset((one.id, other.id))
        for one, other in combinations(BINDINGS, 2)
        if one.id != other.id and one.meets(other) and set(one.keys) & set(other.keys)
    }
    assert shared - TAKING_TURNS == set()


def test_kill_is_over_everything_and_on_no_other_key():
    kill = BY_ID["app.kill"]
    assert kill.is_priority
    assert BY_ID["app.kill_now"].is_priority
    assert not is_character(BY_ID["app.kill_now"].keys[0])
    assert [bound.id for bound in BINDINGS if kill.keys[0] in bound.keys] == ["app.kill"]


@pytest.mark.parametrize("grave", ["app.kill", "app.flatten", "app.cancel_all", "stopping.insist"])
def test_no_other_key_is_the_one_of_a_grave_deed_without_shift(grave: str):
    twins = {key.swapcase() for key in BY_ID[grave].keys if is_character(key)}
    assert [bound.id for bound in BINDINGS if twins & set(bound.keys)] == []


def test_words_of_keys_are_small():
    assert [bound.id for bound in BINDINGS if bound.words != bound.words.lower()] == []


# -- keys as people write them ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("K", "K"), ("?", "question_mark"), ("/", "slash"), ("+", "plus"), (",", "comma"), (" ", "space"),
        ("space", "space"), ("F5", "f5"), ("ctrl+K", "ctrl+k"), ("Shift+Ctrl+F5", "ctrl+shift+f5"),
        ("ctrl++", "ctrl+plus"), ("shift+tab", "shift+tab"), (" pageup ", "pageup"), ("minus", "minus"),
    ],
)  # fmt: skip
def test_keys_are_read_as_people_write_them(written: str, key: str):
    assert parse_key(written) == key


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "is no key"), ("foo", "is no key"), ("\t", "is no key"), ("a+b", "'a' is no modifier"),
        ("hyperr+k", "there are ctrl"), ("shift+k", "the character that shift gives"),
        ("ctrl+i", "cannot be told from tab"), ("ctrl+m", "cannot be told from enter"),
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused_with_the_reason(written: str, why: str):
    with pytest.raises(ValueError, match=why):
        parse_key(written)


@given(st.text(st.characters(codec="ascii"), max_size=12))
def test_a_key_that_was_read_reads_as_itself(text: str):
    try:
        key = parse_key(text)
    except ValueError:
        return
    assert parse_key(key) == key
    assert "," not in key


@given(st.characters(exclude_categories=("C", "Z"), exclude_characters=","))
def test_every_character_is_a_key_and_text(character: str):
    key = parse_key(character)
    assert is_character(key)
    assert not is_character(f"ctrl+{key}")


def test_keys_that_are_no_text_are_known():
    assert is_character("space")
    assert not any(map(is_character, ["f9", "enter", "escape", "tab", "pageup", "ctrl+k", "alt+space"]))


def test_every_key_of_the_product_can_be_written():
    for bound in BINDINGS:
        assert tuple(map(parse_key, bound.keys)) == bound.keys


# -- the file --------------------------------------------------------------------------------------


def test_no_file_changes_nothing(tmp_path: Path):
    assert Keymap.load(None) == Keymap({}, [])
    assert Keymap.load(tmp_path / "keymap.toml") == Keymap({}, [])
    assert load(tmp_path, "") == Keymap({}, [])


def test_a_key_moves_and_everything_else_stays(tmp_path: Path):
    keymap = load(tmp_path, '[keys]\n"app.pause" = "p"\n"app.help" = ["H", "f2", "H"]\napp.risk = "ctrl+r"\n')
    assert keymap.problems == []
    moved = {"app.pause": "p", "app.help": "H,f2", "app.risk": "ctrl+r"}
    assert keymap.keys == {bound.id: ",".join(bound.keys) for bound in BINDINGS} | moved


def test_two_keys_can_change_places(tmp_path: Path):
    keymap = load(tmp_path, '[keys]\n"app.risk" = "o"\n"app.orders" = "r"\n')
    assert keymap.problems == []
    assert (keymap.keys["app.risk"], keymap.keys["app.orders"]) == ("o", "r")


def test_bindings_that_take_turns_may_share_a_new_key(tmp_path: Path):
    keymap = load(tmp_path, '[keys]\n"app.pause" = "p"\n"app.resume" = "p"\n')
    assert keymap.problems == []
    assert keymap.keys["app.pause"] == keymap.keys["app.resume"] == "p"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[keys", "cannot be read"),
        ("keys = 3", "keys must be a table"),
        ('prest = "tmux"', "prest is not known; did you mean preset?"),
        ('preset = "emacs"', "preset = 'emacs' is not known; there is tmux"),
        ('[keys]\n"app.puase" = "p"', "app.puase is no action; did you mean app.pause?"),
        ('[keys]\n"app.pause" = 3', "app.pause must be a key"),
        ('[keys]\n"app.pause" = "ctrl+"\n"app.risk" = "hugo"', "app.risk: 'hugo' is no key"),
        ('[keys]\n"app.freeze" = []', "app.freeze has no key left: no action can be without a key"),
        (
            '[keys]\n"app.kill" = []',
            "app.kill has no key left: the kill switch cannot be without a key; it stays K",
        ),
        ('[keys]\n"app.kill" = ""', "app.kill has no key left: the kill switch"),
        ('[keys]\n"app.pause" = "r"', "app.pause = 'r': that is also the key of app.risk (risk)"),
        ('[keys]\n"ladder.zoom_in" = "q"', "that is also the key of app.quit"),
        ('[keys]\n"app.kill" = "y"', "app.kill = 'y': that is also the key of"),
        ('[keys]\n"app.risk" = "tab"', "that key leads to the next panel"),
        ('[keys]\n"app.kill" = "enter"', "lists, text fields and dialogs need that key"),
        ('[keys]\n"app.kill_now" = "x"', "must be no letter"),
    ],
)
def test_what_cannot_be_is_named_with_file_and_key_and_left_out(tmp_path: Path, text: str, said: str):
    keymap = load(tmp_path, text)
    assert any(said in problem for problem in keymap.problems), keymap.problems
    assert all(problem.startswith(str(tmp_path / "keymap.toml")) for problem in keymap.problems)
    for name in ("app.kill", "app.kill_now", "app.freeze"):
        assert keymap.keys.get(name, "default") in ("default", ",".join(BY_ID[name].keys))


def test_a_file_that_is_no_text_is_one_problem(tmp_path: Path):
    path = tmp_path / "keymap.toml"
    path.write_bytes(b"\xff\xfe")
    assert len(Keymap.load(path).problems) == 1
    assert len(Keymap.load(tmp_path).problems) == 1  # a folder


def test_one_bad_line_spoils_nothing_else(tmp_path: Path):
    keymap = load(tmp_path, '[keys]\n"app.pause" = "r"\n"app.theme" = "C"\n')
    assert len(keymap.problems) == 1
    assert keymap.keys["app.pause"] == "space"
    assert keymap.keys["app.theme"] == "C"


def test_under_tmux_every_action_has_a_key_that_arrives(tmp_path: Path):
    eaten = {f"ctrl+{letter}" for letter in "abhjklpqs"}
    keymap = load(tmp_path, 'preset = "tmux"')
    assert keymap.problems == []
    assert set(PRESETS["tmux"]) <= set(BY_ID)
    for name, keys in keymap.keys.items():
        assert set(keys.split(",")) - eaten, name


SOME_IDS = {"app.kill", "app.pause", "app.resume", "app.risk", "main.solo", "ladder.up", "dialog.yes"}
SOME = [bound for bound in BINDINGS if bound.id in SOME_IDS]


def clash(keys: dict[str, str], one: BoundKey, other: BoundKey) -> bool:
    return one.meets(other) and bool(set(keys[one.id].split(",")) & set(keys[other.id].split(",")))


@given(st.dictionaries(st.sampled_from([bound.id for bound in SOME]), st.sampled_from("rpzyKu"), max_size=5))
def test_whatever_is_asked_for_no_two_keys_clash(
    tmp_path_factory: pytest.TempPathFactory, wanted: dict[str, str]
):
    path = tmp_path_factory.mktemp("keys") / "keymap.toml"
    path.write_text("[keys]\n" + "".join(f'"{name}" = "{key}"\n' for name, key in wanted.items()))
    keymap = Keymap.load(path, SOME)
    for name, key in wanted.items():
        assert keymap.keys.get(name) == key or any(f" {name} = " in problem for problem in keymap.problems)
    for one, other in combinations(SOME, 2):
        if keymap.keys and one.id != other.id and not set(one.keys) & set(other.keys):
            assert not clash(keymap.keys, one, other)


def test_places_tell_what_can_meet():
    app, screen, panel, dialog = (
        next(bound for bound in BINDINGS if bound.place is place and not bound.is_priority)
        for place in (Place.APP, Place.SCREEN, Place.PANEL, Place.DIALOG)
    )
    assert app.meets(screen)
    assert panel.meets(app)
    assert not dialog.meets(app)
    assert not panel.meets(dialog)
    assert BY_ID["app.kill"].meets(dialog)
    assert not BY_ID["ladder.up"].meets(BY_ID["log.up"])


# -- on the screen ---------------------------------------------------------------------------------


async def test_the_whole_map_of_usual_keys_is_no_change():
    """Textual drops keys that a moved binding shares with others: a map that names all of them does not."""
    active = []
    for keymap in (Keymap({}, []), Keymap({bound.id: ",".join(bound.keys) for bound in BINDINGS}, [])):
        app = console_app(keymap=keymap)
        async with app.run_test() as pilot:
            await settle(pilot)
            active.append({key: one.binding.id for key, one in app.screen.active_bindings.items()})
    assert active[0] == active[1]


def test_every_usual_key_is_written_as_it_can_be_read():
    for bound in BINDINGS:
        for key in bound.keys:
            assert parse_key(written_key(key)) == key
    for character in string.ascii_letters + string.digits + string.punctuation:
        assert written_key(parse_key(character)) == character
    assert [written_key(key) for key in ("enter", "escape", "space", "ctrl+k", "less_than_sign")] == [
        "enter", "escape", "space", "ctrl+k", "<",
    ]  # fmt: skip


async def test_the_key_of_a_binding_is_the_moved_one_and_none_where_it_does_nothing(tmp_path: Path):
    app = console_app(keymap=load(tmp_path, '[keys]\n"app.pause" = ["?", "p"]\n"app.help" = "H"\n'))
    async with app.run_test() as pilot:
        await settle(pilot)
        assert key_of(app, "app.pause") == "?"
        assert key_of(app, "app.resume") == ""
        assert key_of(app, "app.resume", now=False) == "space"
        assert app.keymap_file.problems == []
        assert key_of(app.screen, "main.solo") == "z"
        with pytest.raises(KeyError):
            key_of(app.screen, "app.pause")


async def test_a_moved_key_works_and_the_old_one_does_not(tmp_path: Path):
    session = FakeSession()
    app = console_app(session, keymap=load(tmp_path, '[keys]\n"app.pause" = "p"\n'))
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("space")
        assert session.names == []
        await pilot.press("p")
        assert session.names == [CommandName.PAUSE]
        session.show(view(product_view(state="PAUSED", restrictions=(PAUSED_BY_HAND,)), seq=8_000))
        await settle(pilot)
        await pilot.press("space")
        assert session.names == [CommandName.PAUSE, CommandName.RESUME]
