"""Theme files: a broken one is one sentence, one's own shadow the shipped, edits are seen while we run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from console.themed_app import ThemedApp
from textual.widgets import Static

from engine.core.errors import UsageError
from pinnacle_tui.theme_check import theme_check, theme_check_text, theme_list, theme_list_text
from pinnacle_tui.theme_file import themes_folder
from pinnacle_tui.themes import DEFAULT, ThemeLibrary, load_theme

DEFAULT_TEXT = (themes_folder() / f"{DEFAULT}.toml").read_text(encoding="utf-8")


def write_theme(folder: Path, name: str, **colours: str) -> Path:
    """A complete theme file like the default one but for its name and these colours (`_` stands for `-`)."""
    text = DEFAULT_TEXT.replace(f'name = "{DEFAULT}"', f'name = "{name}"')
    for key, value in colours.items():
        lines = text.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{key.replace('_', '-')} = "))
        lines[at] = f'{key.replace("_", "-")} = "{value}"'
        text = "\n".join(lines) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


# -- a broken file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\nbid =", "\nbidd =", "unknown key variables.bidd; did you mean bid"),
        ("\nbid =", "\nbidd =", "variables.bid is missing; write a colour as #rrggbb"),
        ("\nprimary =", "\nprimry =", "unknown key colors.primry; did you mean primary"),
        ("\nprimary =", "\nprimry =", "colors.primary is missing"),
        ("[variables]", "[variable]", "unknown key variable; did you mean variables"),
        ("[variables]", "[variable]", "the section [variables] is missing"),
        ("[colors]", 'variables = "blue"\n[colors]', "not valid TOML"),
        ("\nname =", "\nnme =", "name is missing"),
        (f'"{DEFAULT}"', '"My Theme"', "name is 'My Theme'; write small letters"),
        ("dark = true", 'dark = "yes"', "dark is 'yes'; write dark = true"),
        ("dark = true", "", "dark is missing"),
        ("description =", "descripton =", "unknown key descripton; did you mean description"),
        ("[variables]", '[variables]\ndanger = "#ff0000"', "variables.danger is the same as colors.error"),
        ("[colors]", "[colors", "not valid TOML"),
    ],
)
def test_a_broken_theme_names_file_and_key_and_what_to_write(tmp_path: Path, old: str, new: str, said: str):
    assert DEFAULT_TEXT.count(old) == 1
    broken = tmp_path / "broken.toml"
    broken.write_text(DEFAULT_TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        load_theme(broken)
    assert str(raised.value).startswith(f"{broken}: ")
    assert said in str(raised.value)


@pytest.mark.parametrize("colour", ["blue", "#12345", "#12345g", "rgb(1,2,3)", "", " #123456", "#1234567"])
def test_what_is_no_colour_is_refused_wherever_it_stands(tmp_path: Path, colour: str):
    path = write_theme(tmp_path, "odd", bid=colour, primary=colour, focus=colour)
    with pytest.raises(UsageError) as raised:
        load_theme(path)
    for key in ("variables.bid", "colors.primary", "variables.focus"):
        assert f"{key} is {colour!r}; write a colour as #rrggbb" in str(raised.value)


def test_a_number_is_no_colour_and_a_word_no_section(tmp_path: Path):
    path = tmp_path / "odd.toml"
    path.write_text('name = "odd"\ndescription = "odd"\ndark = true\ncolors = 3\n[variables]\nbid = 7\n')
    with pytest.raises(UsageError) as raised:
        load_theme(path)
    assert "colors is no section; write [colors]" in str(raised.value)
    assert "variables.bid is 7; write a colour" in str(raised.value)


def test_toml_errors_name_the_line(tmp_path: Path):
    path = tmp_path / "odd.toml"
    path.write_text('name = "odd"\ndark = maybe\n')
    with pytest.raises(UsageError, match="line 2"):
        load_theme(path)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path):
    with pytest.raises(UsageError, match=r"gone\.toml: cannot read the theme: No such file"):
        load_theme(tmp_path / "gone.toml")
    (tmp_path / "bytes.toml").write_bytes(b"name = \xff")
    with pytest.raises(UsageError, match=r"bytes\.toml: not UTF-8 text \(byte 7\)"):
        load_theme(tmp_path / "bytes.toml")


# -- the library ---------------------------------------------------------------------------------------


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    folder = tmp_path / "shipped"
    for name in (DEFAULT, "other"):
        write_theme(folder, name, bid="#111111")
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


def loaded(*folders: Path) -> ThemeLibrary:
    library = ThemeLibrary(folders)
    library.load()
    return library


def test_without_a_folder_of_ones_own_there_are_the_shipped_themes(shipped: Path, own: Path):
    library = loaded(shipped, own)
    assert list(library.themes) == ["other", DEFAULT]
    assert library.problems == []
    assert library.problem_text() == ""
    assert not library.changed()


def test_a_theme_of_ones_own_shadows_a_shipped_one(shipped: Path, own: Path):
    write_theme(own, "other", bid="#222222")
    write_theme(own, "mine", bid="#333333")
    library = loaded(shipped, own)
    assert {name: theme.variables["bid"] for name, theme in library.themes.items()} == {
        DEFAULT: "#111111",
        "mine": "#333333",
        "other": "#222222",
    }


def test_broken_files_spoil_nothing_else_and_make_one_text(shipped: Path, own: Path):
    write_theme(own, "good")
    bad = [write_theme(own, f"bad-{n}", bid="blue") for n in range(2)]
    library = loaded(shipped, own)
    assert set(library.themes) == {DEFAULT, "other", "good"}
    assert len(library.problems) == 2
    assert all(str(path) in library.problem_text() for path in bad)


def test_a_name_is_given_once_in_a_folder(shipped: Path, own: Path):
    write_theme(own, "mine", bid="#222222").rename(own / "a.toml")
    write_theme(own, "mine", bid="#333333").rename(own / "b.toml")
    library = loaded(shipped, own)
    assert library.themes["mine"].variables["bid"] == "#222222"
    assert library.problems == [f"{own / 'b.toml'}: the name mine is taken by a.toml; write another name"]


def test_files_that_are_no_themes_are_left_alone(shipped: Path, own: Path):
    write_theme(own, "mine")
    (own / ".mine.toml").write_text("a file of an editor")
    (own / "notes.txt").write_text("notes")
    assert loaded(shipped, own).problems == []


def test_a_folder_or_a_dead_link_in_place_of_a_theme_is_a_problem(shipped: Path, own: Path):
    (own / "folder.toml").mkdir(parents=True)
    (own / "link.toml").symlink_to(own / "nothing")
    library = loaded(shipped, own)
    assert [problem.split(": ")[1] for problem in library.problems] == ["cannot read the theme"] * 2
    assert not library.changed()


def test_an_edit_is_seen(shipped: Path, own: Path):
    path = write_theme(own, "mine", bid="#222222")
    library = loaded(shipped, own)
    write_theme(own, "mine", bid="#333333")
    age(path)
    assert library.changed()
    library.load()
    assert not library.changed()
    assert library.themes["mine"].variables["bid"] == "#333333"


def test_a_theme_added_and_removed_is_seen(shipped: Path, own: Path):
    library = loaded(shipped, own)
    path = write_theme(own, "other", bid="#222222")
    assert library.changed()
    library.load()
    assert library.themes["other"].variables["bid"] == "#222222"
    path.unlink()
    assert library.changed()
    library.load()
    assert library.themes["other"].variables["bid"] == "#111111"


def test_a_theme_that_breaks_stays_as_it_was_until_it_is_mended(shipped: Path, own: Path):
    path = write_theme(own, "mine", bid="#222222")
    library = loaded(shipped, own)
    for step, broken in enumerate(("blue", "green"), 1):
        write_theme(own, "mine", bid=broken)
        age(path, step)
        assert library.changed()
        library.load()
        assert library.themes["mine"].variables["bid"] == "#222222"
        assert f"variables.bid is '{broken}'" in library.problem_text()
    write_theme(own, "mine", bid="#333333")
    age(path, 3)
    library.load()
    assert library.themes["mine"].variables["bid"] == "#333333"
    assert library.problems == []


def age(path: Path, step: int = 1) -> None:
    """Give the file another time of change, whatever the resolution of the file system's clock."""
    at = path.stat().st_mtime_ns + step * 1_000_000_000
    os.utime(path, ns=(at, at))


async def test_an_edited_theme_of_the_same_name_reaches_the_screen(shipped: Path, own: Path):
    path = write_theme(own, "mine", bid="#222222")
    library = loaded(shipped, own)
    app = ThemedApp()
    app.register_theme(library.themes["mine"])
    app.theme = "mine"
    async with app.run_test() as pilot:
        write_theme(own, "mine", bid="#333333")
        age(path)
        library.load()
        app.register_theme(library.themes["mine"])
        app.refresh_css(animate=False)
        await pilot.pause()
        assert app.query_one(Static).styles.color.hex == "#333333"


# -- the command ---------------------------------------------------------------------------------------


def test_the_list_says_where_a_theme_comes_from(shipped: Path, own: Path):
    write_theme(own, "other")
    broken = write_theme(own, "broken", bid="blue")
    answer = theme_list(shipped, own)
    assert [(theme["name"], theme["from"]) for theme in answer["themes"]] == [
        ("other", "yours"),
        (DEFAULT, "shipped"),
    ]
    text = theme_list_text(answer)
    assert "pinnacle  dark   shipped  calm and dark" in text
    assert f"not usable: {broken}: variables.bid is 'blue'" in text
    assert str(own) in text


def test_a_good_theme_is_checked_without_a_word(own: Path):
    path = write_theme(own, "mine")
    assert theme_check_text(theme_check(path)) == f"{path}: can be used"


def test_the_check_hints_at_colours_that_are_hard_to_read(own: Path):
    path = write_theme(own, "mine", muted="#333333", selected="#777777")
    hints = theme_check(path)["hints"]
    assert [hint.split(" has ")[0] for hint in hints] == [
        f"{path}: muted on background",
        f"{path}: text on selected",
    ]


def test_the_check_refuses_what_cannot_be_used(shipped: Path, own: Path):
    first, second = (write_theme(own, name, bid="blue") for name in ("one", "two"))
    with pytest.raises(UsageError, match=r"variables\.bid") as raised:
        theme_check(folders=(shipped, own))
    assert [line.split(": ")[0] for line in str(raised.value).splitlines()] == [str(first), str(second)]


def test_listing_and_checking_do_not_load_textual():
    script = (
        "import sys; from pinnacle_tui.theme_check import theme_check, theme_list; "
        "theme_list(); theme_check(); sys.exit('textual' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
