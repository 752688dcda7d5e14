"""The wizard: every way through it, what it says, what it forgets, and that it never shows a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from console import fake_desk as played
from console.fake_desk import DOCUMENT, NAME, PEM, RIGHT, FakeDesk
from console.running import Running
from console.wizard_walk import everything, walking, walking_in_console
from textual.widgets import Input, OptionList, Static

from engine.core.errors import CredentialError
from engine.core.secret import Secret
from engine.credentials.desk import EXCHANGE, VaultState
from engine.link.messages import CommandName
from pinnacle_tui.credential_wizard import Stage
from pinnacle_tui.palette_commands import ConsoleCommands
from pinnacle_tui.screens.credential_leaving import LeaveQuestion
from pinnacle_tui.screens.credentials import CredentialsScreen
from pinnacle_tui.screens.kill_report import KillReport
from pinnacle_tui.screens.main import MainScreen
from pinnacle_tui.screens.typed_word import TypedWord
from pinnacle_tui.widgets.secret_input import MOST_BYTES

SECRETS = (
    RIGHT,
    "another good password",
    "organizations/7c1f",
    "pemsecretcanary",
    "jsonsecretcanary",
    "BEGIN EC",
)
ANOTHER = "another good password"
S = 1_000_000_000


def opened(*keys: Any) -> FakeDesk:
    return FakeDesk(VaultState.OPEN, keys)


# -- the whole way ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 16), (100, 30)])
async def test_from_no_vault_to_a_saved_key_by_the_keyboard_and_nothing_secret_is_shown(
    size: tuple[int, int],
):
    async with walking(size=size) as walk:
        seen = []

        def look() -> None:
            seen.append(everything(walk.app))

        assert str(walk.desk.path) in walk.said
        look()
        await walk.to_check()
        look()
        await walk.press("enter")
        await walk.choose(RIGHT)
        look()
        await walk.until_offered("enter")
        await walk.press("enter")
        assert walk.app.screen.query_one(Input).value == "coinbase"
        await walk.press("end", "backspace", "2", "enter")
        await walk.until_at(Stage.SAVED)
        look()
        for said in ("coinbas2", "…4e57", "ES256", "the venue takes it", "--mode paper", "--key coinbas2"):
            assert said in walk.said
        assert "allow-list" in walk.said
        await walk.press("enter")
        look()
        assert walk.heading == "Keys in the vault"
        assert [secret for secret in SECRETS if any(secret in each for each in seen)] == []
        assert PEM.splitlines()[2] in walk.desk.saved["coinbas2"]
        assert walk.desk.password == RIGHT
        assert not walk.wizard.has_entries


async def test_a_vault_that_is_there_asks_for_no_new_password():
    async with walking(opened(played.MAIN), Stage.CHECK) as walk:
        await walk.until_offered("enter")
        await walk.press("enter", "enter")
        await walk.until_at(Stage.SAVED)
        assert list(walk.desk.saved) == ["coinbase"]
        assert "password" not in str(walk.app.screen.query_one("#steps", Static).render())


async def test_a_key_of_exchange_has_three_parts():
    async with walking(opened()) as walk:
        await walk.to_key(EXCHANGE)
        assert "still to come: key, secret, passphrase" in walk.said
        for part in ("k1", "c2VjcmV0", "mypassphrase"):
            await walk.paste(part)
            await walk.press("enter")
        await walk.until_at(Stage.CHECK)
        assert walk.wizard.draft is not None
        assert walk.wizard.draft.kind == EXCHANGE


async def test_a_whole_key_file_pasted_into_any_field_is_enough():
    async with walking(opened(), Stage.KEY) as walk:
        await walk.press("tab")
        await walk.paste(DOCUMENT)
        await walk.until_said("✓ an ECDSA P-256 private key")
        await walk.press("enter")
        await walk.until_at(Stage.CHECK)
        assert walk.wizard.draft is not None
        assert walk.wizard.draft.document == Secret(DOCUMENT)


async def test_a_key_file_is_named_and_its_path_completed(tmp_path: Path):
    (tmp_path / "cdp_api_key.json").write_text(DOCUMENT)
    async with walking(opened(), Stage.KEY, size=(200, 40)) as walk:
        await walk.press("tab", "tab")
        field = walk.app.screen.focused
        await walk.paste(f"{tmp_path}/cdp")
        await walk.until(lambda: field._suggestion.endswith("cdp_api_key.json"))
        await walk.press("right", "enter")
        await walk.until_at(Stage.CHECK)


@pytest.mark.parametrize("path", ["/nowhere/key.json", "~nobody-of-this-name/key.json"])
async def test_a_file_that_is_not_there_is_told(path: str):
    async with walking(opened(), Stage.KEY) as walk:
        await walk.press("tab", "tab")
        await walk.paste(path)
        await walk.press("enter")
        assert walk.wizard.stage is Stage.KEY
        assert "no key file" in walk.said or "no file of that name" in walk.said


# -- what is typed ---------------------------------------------------------------------------------


async def test_what_is_pasted_is_recognised_while_it_is_entered():
    async with walking(opened(), Stage.KEY) as walk:
        assert "still to come: name, private key" in walk.said
        await walk.paste(NAME)
        await walk.until_said("still to come: private key")
        await walk.press("enter")
        await walk.paste("-----BEGIN EC PRIVATE KEY-----\nabc")
        await walk.until_said("its last line is missing")
        await walk.press("ctrl+u")
        await walk.paste("wrong thing")
        await walk.until_said("it is neither PEM nor base64")
        await walk.press("enter")
        assert walk.wizard.stage is Stage.KEY
        await walk.press("ctrl+u")
        await walk.paste(PEM)
        await walk.until_said("✓ an ECDSA P-256 private key (ES256), …4e57")


async def test_a_paste_that_is_too_large_is_refused_in_a_sentence():
    async with walking(opened(), Stage.KEY) as walk:
        await walk.paste("x" * (MOST_BYTES + 1))
        assert "64 KiB" in walk.said
        assert not walk.wizard.has_entries


async def test_letters_in_a_field_are_no_commands_and_the_kill_switch_works_all_the_same():
    async with walking_in_console(opened()) as walk:
        await walk.to_key()
        await walk.press("K", "q", "s", "d", "space")
        assert walk.console.session.names == []
        assert walk.wizard.parts["name"] == Secret("Kqsd ")
        await walk.press("f9")
        assert walk.console.session.names == [CommandName.KILL]
        assert isinstance(walk.app.screen, KillReport)
        await walk.press("escape")
        assert walk.wizard.parts["name"] == Secret("Kqsd ")


async def test_the_master_password_is_judged_and_typed_twice():
    async with walking(stage=Stage.PASSWORD) as walk:
        await walk.paste("short")
        await walk.until_said("too short: 5 more")
        assert "enter" not in walk.offered
        await walk.press("ctrl+u")
        await walk.choose(RIGHT, again=RIGHT[:-1])
        await walk.until_said("the two are not the same")
        assert "Nobody can recover a forgotten one" in walk.said
        await walk.press("enter")
        assert walk.wizard.stage is Stage.PASSWORD
        await walk.press(RIGHT[-1])
        await walk.until_said("both are the same")
        await walk.press("enter")
        assert walk.wizard.stage is Stage.NAME


async def test_a_name_is_checked_while_it_is_typed():
    async with walking(opened(played.MAIN), Stage.NAME) as walk:
        for name, said in (
            ("main", "a key named main already"),
            ("No good", "cannot be called"),
            ("", "needs a name"),
        ):
            walk.app.screen.query_one(Input).value = name
            await walk.until_said(said)
            assert "enter" not in walk.offered
            await walk.press("enter")
        assert walk.desk.saved == {}


async def test_what_the_saving_failed_with_is_told_and_can_be_tried_again():
    async with walking(opened(), Stage.NAME) as walk:
        walk.desk.failure = CredentialError("somebody else has changed the vault; open it again")
        await walk.press("enter")
        await walk.until_said("somebody else has changed the vault")
        await walk.press("enter")
        await walk.until_at(Stage.SAVED)


async def test_what_is_being_saved_is_not_wiped_by_leaving():
    desk = FakeDesk()
    desk.may_go_on.clear()
    async with walking(desk, Stage.NAME) as walk:
        await walk.press("enter")
        await walk.until_said("sealing the vault")
        await walk.press("escape", "ctrl+x", "ctrl+c")
        assert walk.wizard.stage is Stage.NAME
        walk.wizard.close()
        desk.may_go_on.set()
        await walk.until(lambda: "coinbase" in desk.saved)
    assert "pemsecretcanary" in desk.saved["coinbase"]
    assert desk.password == RIGHT


# -- the check -------------------------------------------------------------------------------------


async def test_what_was_found_decides_which_ways_are_open():
    async with walking(opened(), Stage.CHECK) as walk:
        for findings, keys, said in (
            (played.GOOD, {"enter", "r"}, "nothing beyond"),
            (played.LIMITED, {"enter", "r"}, "read what is marked"),
            (played.REFUSED, {"r"}, "The key is not saved"),
            (played.UNCHECKED, {"r", "s"}, "could not be asked"),
        ):
            walk.desk.findings = findings
            await walk.until_offered("r")
            await walk.press("r")
            await walk.until_said(said)
            assert walk.offered - {"esc", "^x"} == keys
            for finding in findings:
                assert finding.words in walk.said
                assert finding.advice in walk.said
            await walk.press(*({"enter", "s"} - keys))
            assert walk.wizard.stage is Stage.CHECK
        await walk.press("s")
        assert walk.wizard.stage is Stage.NAME


async def test_findings_come_one_by_one_and_a_check_can_be_left_and_made_again():
    desk = opened()
    desk.held_checks = 2
    desk.may_go_on.clear()
    async with walking(desk, Stage.CHECK) as walk:
        await walk.until_said("corrected for")
        assert "asking Coinbase…" in walk.said
        assert played.GOOD[2].words not in walk.said
        assert walk.offered == {"esc", "^x"}
        await walk.press("escape")
        assert walk.wizard.stage is Stage.KEY
        desk.may_go_on.set()
        await walk.press("enter")
        await walk.until_said("nothing beyond")
        assert desk.checks == 2
        await walk.press("r")
        await walk.until(lambda: desk.checks == 3 and walk.wizard.fitness is not None)
        await walk.until_said("nothing beyond")
        assert walk.said.count(played.GOOD[0].words) == 1


async def test_another_text_of_the_key_is_another_key_to_be_checked():
    async with walking(opened(), Stage.CHECK) as walk:
        await walk.until_offered("enter")
        draft = walk.wizard.draft
        await walk.press("escape")
        assert walk.wizard.fitness is not None
        await walk.press("x")
        assert walk.wizard.fitness is None
        assert draft is not None
        assert not any(draft.document.reveal())


# -- the vault -------------------------------------------------------------------------------------


async def test_a_wrong_password_is_waited_for_and_the_fifth_closes_the_wizard_but_not_the_console():
    async with walking_in_console(FakeDesk(VaultState.LOCKED, (played.MAIN,))) as walk:
        clock = walk.desk.clock
        for attempt in range(4):
            await walk.paste(f"wrong{attempt}")
            await walk.press("enter")
            await walk.until_said("again in 1 s")
            assert "enter" not in walk.offered
            await walk.app.screen.run_action("step('next')")
            assert len(walk.desk.tried) == attempt + 1
            clock.advance(S)
            await walk.until_said("wrong password")
            await walk.until_offered("enter")
        await walk.paste("wrong4")
        await walk.press("enter")
        await walk.until(lambda: isinstance(walk.app.screen, MainScreen))
        assert any("wrong 5 times" in told for told in walk.console.told)
        await walk.open()
        assert isinstance(walk.app.screen, MainScreen)


async def test_while_the_key_is_derived_it_is_said_and_nothing_leaves():
    async with walking(FakeDesk(VaultState.LOCKED, (played.MAIN,))) as walk:
        walk.desk.may_go_on.clear()
        await walk.paste(RIGHT)
        await walk.press("enter")
        await walk.until_said("deriving the key")
        await walk.press("escape", "enter", "ctrl+x")
        assert walk.heading == "The vault is locked"
        walk.desk.may_go_on.set()
        await walk.until(lambda: walk.heading == "Keys in the vault")
        assert walk.desk.tried == [RIGHT]


async def test_a_vault_that_is_refused_says_what_mends_it_and_is_looked_at_again():
    desk = FakeDesk(VaultState.REFUSED)
    desk.trouble = "the vault can be read by others\nchmod 600 /home/t/.config/pinnacle-tui/credentials.vault"
    async with walking(desk) as walk:
        assert "chmod 600" in walk.said
        assert walk.offered == {"r", "esc"}
        desk.state = VaultState.LOCKED
        await walk.press("r")
        assert walk.heading == "The vault is locked"


async def test_the_list_shows_names_kinds_and_tails():
    async with walking(opened(played.MAIN, played.OFFICE)) as walk:
        options = walk.app.screen.query_one(OptionList)
        lines = [str(options.get_option_at_index(index).prompt) for index in range(2)]
        for word in ("main", "Advanced Trade", "…4e57"):
            assert word in lines[0]
        for word in ("office", "Exchange", "…91aa"):
            assert word in lines[1]
        assert walk.offered == {"a", "t", "d", "p", "esc"}


async def test_a_key_is_removed_once_its_name_was_typed():
    async with walking(opened(played.MAIN, played.OFFICE)) as walk:
        await walk.press("d")
        assert isinstance(walk.app.screen, TypedWord)
        await walk.press("escape")
        assert len(walk.desk.keys()) == 2
        await walk.press("d", *"main", "enter")
        await walk.until(lambda: walk.desk.keys() == (played.OFFICE,))
        await walk.until_said("main was removed")


async def test_a_key_of_the_vault_is_checked_again():
    async with walking(opened(played.MAIN)) as walk:
        walk.desk.findings = played.REFUSED
        await walk.press("t")
        await walk.until_said("make another key, and remove this one")
        assert walk.heading == "Is main still taken?"
        assert walk.offered == {"r", "esc", "^x"}
        await walk.press("escape")
        assert walk.heading == "Keys in the vault"
        assert walk.wizard.draft is None


async def test_the_master_password_is_changed():
    async with walking(opened(played.MAIN)) as walk:
        await walk.press("p")
        await walk.choose(ANOTHER)
        await walk.until_offered("enter")
        walk.desk.failure = CredentialError("somebody else has changed the vault")
        await walk.press("enter")
        await walk.until_said("somebody else")
        assert walk.desk.password == RIGHT
        await walk.press("enter")
        await walk.until_said("the master password was changed")
        assert walk.desk.password == ANOTHER


# -- leaving, coming back, being left alone --------------------------------------------------------


async def test_escape_is_one_step_back_and_keeps_what_was_entered():
    async with walking(stage=Stage.NAME) as walk:
        for stage in (Stage.PASSWORD, Stage.CHECK, Stage.KEY, Stage.VENUE, Stage.VAULT):
            await walk.press("escape")
            assert walk.wizard.stage is stage
        await walk.press("enter", "enter")
        assert walk.wizard.parts == {"name": Secret(NAME), "privateKey": Secret(PEM)}
        assert "36 characters" in " ".join(
            str(each.render()) for each in walk.app.screen.query("SecretInput")
        )
        assert walk.wizard.password == Secret(RIGHT)
        assert walk.desk.checks == 0


async def test_another_venue_has_other_parts():
    async with walking(opened(), Stage.KEY) as walk:
        await walk.paste(NAME)
        held = walk.wizard.parts["name"]
        await walk.press("escape", "down", "enter")
        assert walk.wizard.parts == {}
        assert not any(held.reveal())


async def test_leaving_asks_only_where_something_would_be_lost():
    async with walking_in_console(opened()) as walk:
        await walk.press("escape")
        assert isinstance(walk.app.screen, MainScreen)
        assert walk.desk.state is VaultState.LOCKED


async def test_what_was_entered_is_kept_for_later_or_forgotten():
    async with walking_in_console() as walk:
        await walk.to_key()
        await walk.paste(NAME)
        held = walk.wizard.parts["name"]
        await walk.press("escape", "escape", "escape")
        assert isinstance(walk.app.screen, LeaveQuestion)
        await walk.press("escape")
        assert isinstance(walk.app.screen, CredentialsScreen)
        stage = walk.wizard.stage
        await walk.press("ctrl+x", "L")
        assert isinstance(walk.app.screen, MainScreen)
        await walk.open()
        assert walk.wizard.stage is stage
        assert walk.wizard.parts["name"] == Secret(NAME)
        await walk.press("ctrl+x", "y")
        assert isinstance(walk.app.screen, MainScreen)
        assert not any(held.reveal())
        await walk.open()
        assert walk.wizard.stage is Stage.VAULT


async def test_nothing_of_it_is_remembered_for_the_next_run():
    async with walking_in_console() as walk:
        await walk.to_key()
        await walk.paste(NAME)
        walk.app._remember()
        assert NAME not in repr(walk.app.remembered._values)
        held = walk.wizard.parts["name"]
    assert not any(held.reveal())


@pytest.mark.parametrize("is_open", [True, False])
async def test_who_is_gone_for_too_long_finds_the_vault_locked_and_nothing_kept(is_open: bool):
    async with walking_in_console(opened(played.MAIN)) as walk:
        await walk.to_key()
        await walk.paste(NAME)
        held = walk.wizard.parts["name"]
        if not is_open:
            await walk.press("ctrl+x", "L")
            await walk.until(lambda: walk.app.screen_stack == [walk.app.screen])
        walk.desk.clock.advance(299 * S)
        assert not walk.wizard.is_left_alone()
        walk.desk.clock.advance(2 * S)
        await walk.until(lambda: not walk.wizard.has_entries)
        assert not any(held.reveal())
        assert walk.desk.state is VaultState.LOCKED
        if is_open:
            await walk.until(lambda: walk.heading == "The vault is locked")
            assert "nobody did anything for 300 s" in walk.said
        else:
            await walk.until(
                lambda: any("what was entered is forgotten" in told for told in walk.console.told)
            )


async def test_every_key_counts_as_somebody_being_there():
    async with walking(opened(played.MAIN)) as walk:
        for key in ("a", "down", "enter", "x", "backspace", "tab", "y", "insert"):
            before = walk.desk.touches
            walk.desk.clock.advance(200 * S)
            await walk.press(key)
            assert walk.desk.touches > before, key
        assert not walk.wizard.is_left_alone()


async def test_a_desk_that_has_locked_by_itself_leads_back_to_the_password():
    async with walking_in_console(opened(played.MAIN)) as walk:
        await walk.press("escape")
        await walk.open()
        await walk.paste(RIGHT)
        await walk.press("enter")
        await walk.until(lambda: walk.heading == "Keys in the vault")
        walk.desk.lock()
        await walk.until(lambda: walk.heading == "The vault is locked")
        assert "nobody did anything" in walk.said


# -- where it opens --------------------------------------------------------------------------------


async def test_the_palette_opens_it_and_a_console_without_a_desk_says_why_not():
    async with Running() as console:
        command = next(
            each for each in ConsoleCommands(console.app.screen).commands() if each.name == "credentials"
        )
        command.run()
        await console.settle()
        assert isinstance(console.app.screen, MainScreen)
        assert any("pinnacle-tui credentials" in told for told in console.told)


async def test_trading_is_drawn_on_and_it_opens_once():
    async with walking_in_console() as walk:
        await walk.open()
        assert [type(screen) for screen in walk.app.screen_stack].count(CredentialsScreen) == 1
        walk.app._frame()
        assert walk.app.screen_stack[0].status.scene is not None


async def test_help_over_it_names_its_keys():
    async with walking_in_console(opened(played.MAIN)) as walk:
        await walk.press("f1")
        assert "Ask the venue about the key" in walk.said
