"""`export`: a recorded session as tables."""

from __future__ import annotations

from pathlib import Path

import click

from pinnacle_tui.cli_parts import data_dir_option, examples, json_option, progress_bar, sessions_folder, tell


@click.command(
    epilog=examples(
        "pinnacle-tui export sim-btc-usd-0001 --out tables",
        "pinnacle-tui export sim-btc-usd-0001 --out tables --format parquet",
    )
)
@click.argument("session")
@click.option(
    "--out", "folder", type=Path, required=True, metavar="DIR", help="Where the files go; made if missing."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    default="csv",
    show_default=True,
    help="What is written; parquet needs the extra of that name.",
)
@data_dir_option
@json_option
def export(session: str, folder: Path, form: str, data_dir: Path | None, as_json: bool) -> int:
    """Write a session's fills with their markouts, orders, positions and attribution as tables.

    They are computed anew from the journal. A SESSION is a session's name, its folder, or a folder of
    sessions, which means the newest. Ends with 2 where a file is there already or the journal was written
    by a version that computes otherwise, with 6 for a damaged journal; then nothing is written.
    """
    from engine.commands import export as exporting

    with progress_bar("exporting", "records", as_json) as progress:
        answer = exporting.export(session, sessions_folder(data_dir), folder, form, progress)
    return tell(answer, exporting.export_text(answer), as_json)
