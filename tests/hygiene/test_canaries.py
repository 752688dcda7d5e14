"""No secret in any output: real runs with planted secrets, and a search through all that they leave (P9)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from engine_process import machine
from hygiene.canary_commands import about_keys, about_sessions, about_settings, refused_run
from hygiene.canary_kit import KINDS, PIECE, Marked, forms, venue_that_listens
from hygiene.canary_objects import in_process
from hygiene.canary_runs import Surfaces, files, live_run, stored

from engine.credentials.desk import ADVANCED, EXCHANGE

APIS = (ADVANCED, EXCHANGE)
LEAST = 18
"""Surfaces that the security document asks for."""
NAMES = (
    "representations and dumps",
    "tracebacks",
    "traceback with locals of code that holds a key",
    "report of a crash of the screen",
    "standard output, JSON",
    "standard error, everything at DEBUG, asyncio in debug mode",
    "refused key, text",
    "journals",
    "snapshots",
    "session.json",
    "watchdog's log",
    "whole state folder",
    "vault, its backup and what lies beside it",
    "arguments of every process",
    "limits of every process",
    "environment of every process",
    "link to a console",
    "runtime folder",
    "control",
    "journal dump, JSON",
    "journal dump, words",
    "journal statistics and sessions",
    "settings, shown and written",
    "help texts",
    "doctor",
    "list and test of keys",
    "recorded frames",
)


@pytest.fixture(scope="module")
def marked() -> Marked:
    return Marked()


@pytest.fixture(scope="module")
def surfaces(marked: Marked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surfaces]:
    """Everything that could show a secret, made once."""
    with machine() as here, venue_that_listens(marked) as venue:
        stored(here, marked)
        found: Surfaces = {}
        for made in (
            *ThreadPoolExecutor().map(partial(live_run, here, marked, venue), APIS),
            refused_run(here, marked, venue),
            about_keys(here, marked, venue),
            about_sessions(here),
            about_settings(here, venue),
            dict(files(here)),
            in_process(marked, tmp_path_factory.mktemp("crash")),
        ):
            for name, data in made.items():
                found[name] = found.get(name, b"") + data
        marked.canaries.plant(KINDS[3], *venue.seen)
        assert set(venue.spite.repeated) == set(APIS), "the venue has repeated what it was sent"
        yield found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_shown(surfaces: Surfaces, marked: Marked, name: str, kind: str) -> None:
    assert surfaces[name].strip(), "it was made"
    assert marked.canaries.found_in(kind, surfaces[name]) == []


def test_all_surfaces_were_searched_for_all_secrets(surfaces: Surfaces, marked: Marked) -> None:
    assert set(NAMES) == set(surfaces)
    assert len(NAMES) >= LEAST
    assert len(NAMES) * len(KINDS) >= LEAST * 4
    assert all(len(marked.canaries.needles[kind]) > 50 for kind in KINDS)


def test_no_process_leaves_a_core(surfaces: Surfaces) -> None:
    limits = surfaces["limits of every process"].decode()
    sizes = [line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")]
    assert sizes
    assert set(sizes) == {"0"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_piece_of_a_secret_would_be_found(surfaces: Surfaces, marked: Marked, kind: str) -> None:
    noise = surfaces["standard error, everything at DEBUG, asyncio in debug mode"][:100_000]
    needles = sorted(marked.canaries.needles[kind])
    for needle in needles[:: len(needles) // 5]:
        assert len(needle) == PIECE
        assert needle in marked.canaries.found_in(kind, noise + needle + noise)


def test_a_secret_is_found_inside_of_anything_that_is_encoded(marked: Marked) -> None:
    import base64

    for lead in (b"", b"a", b"ab", b"abc", b'{"password":"'):
        spelt = base64.b64encode(lead + marked.password.encode() + b'","x":1}')
        assert marked.canaries.found_in(KINDS[0], spelt)
    assert len(list(forms(b"x" * 32))) == 12
