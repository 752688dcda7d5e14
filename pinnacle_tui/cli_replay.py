"""`inspect`, `replay`: recordings of a market, and sessions of our own."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pinnacle_tui.cli_options import screen_options
from pinnacle_tui.cli_parts import (
    data_dir_option,
    examples,
    json_option,
    progress_bar,
    require_terminal,
    sessions_folder,
    tell,
)


@click.command(
    epilog=examples(
        "pinnacle-tui inspect capture.jsonl.gz --product BTC-USD --depth 5",
        "pinnacle-tui inspect full.json.gz --snapshot book.json --json",
    )
)
@click.argument("file", type=Path)
@click.option("--product", "products", multiple=True, metavar="P", help="Only this product (repeatable).")
@click.option(
    "--depth", type=click.IntRange(min=0), default=0, metavar="N", help="List the best N levels a side."
)
@click.option("--snapshot", type=Path, metavar="FILE", help="Where a full-channel capture starts from.")
@click.option("--products", "product_file", type=Path, metavar="FILE", help="The venue's list of products.")
@json_option
def inspect(
    file: Path,
    products: tuple[str, ...],
    depth: int,
    snapshot: Path | None,
    product_file: Path | None,
    as_json: bool,
) -> int:
    """Say what a recording holds, and the books it leads to."""
    from engine.commands import inspect as recording

    answer = recording.inspect(
        file, products=products, depth=depth, snapshot=snapshot, product_file=product_file
    )
    return tell(answer, recording.inspection_text(answer), as_json)


@click.command(
    epilog=examples(
        "pinnacle-tui replay sim-btc-usd-0001",
        "pinnacle-tui replay sim-btc-usd-0001 --verify --json",
        "pinnacle-tui replay sim-btc-usd-0001 --at 1m30s",
    )
)
@click.argument("session")
@click.option(
    "--verify", is_flag=True, help="Compute every order and digest anew, name the first difference."
)
@click.option(
    "--at",
    "moment",
    metavar="SEQ|TIME",
    help="Print the state at a record (24360) or a time (90s, 09:13:38).",
)
@click.option("--config", "path", type=Path, metavar="FILE", help="The configuration file.")
@screen_options
@data_dir_option
@json_option
@click.option(
    "--serve", "is_served", is_flag=True, hidden=True, help="Play it back for the console that owns us."
)
@click.option("--owner-fd", type=int, hidden=True, help="The inherited socket of that console.")
def replay(
    session: str,
    verify: bool,
    moment: str | None,
    path: Path | None,
    data_dir: Path | None,
    as_json: bool,
    is_served: bool,
    owner_fd: int | None,
    **options: str | None,
) -> int:
    """Travel through a recorded session; with --verify or --at without a screen."""
    if verify and moment is not None:
        raise click.UsageError("--verify goes through all of a session, --at stops in it; name one of them")
    from engine.commands import replay as past

    folder = sessions_folder(data_dir)
    if moment is not None:
        answer = past.state_at(session, folder, moment)
        return tell(answer, past.state_text(answer), as_json)
    if is_served and owner_fd is not None:
        import socket

        return past.serve(session, folder, socket.socket(fileno=owner_fd))
    if not verify:
        if as_json:
            raise click.UsageError("--json goes with --verify and --at; the screen does not write JSON")
        require_terminal()
        from engine.config import load_config
        from pinnacle_tui import launch

        given = {f"console.{key}": value for key, value in options.items() if value is not None}
        resolved = load_config(path, os.environ, (), given)
        return launch.watch_playback(past.folder_of(session, folder), resolved)
    with progress_bar("verifying", "records", as_json) as progress:
        answer = past.verify(session, folder, progress)
    tell(answer, past.verify_text(answer), as_json)
    return int(answer["exit_code"])
