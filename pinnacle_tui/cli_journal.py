"""`journal`: the commands over what a session wrote. Each imports what it needs when it runs."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from pathlib import Path

import click

from pinnacle_tui.cli_parts import data_dir_option, examples, json_option, progress_bar, sessions_folder, tell
from pinnacle_tui.output import pause

_MIB = 1 << 20


@click.group(
    epilog=examples(
        "pinnacle-tui journal verify sim-btc-usd-0001", "pinnacle-tui journal tail -f sim-btc-usd-0001"
    )
)
def journal() -> None:
    """What a session's journal holds, and whether it is sound.

    A SESSION is a session's name, its folder, or a folder of sessions, which means the newest; a journal's
    folder without session.json will do too, and is told in ticks, lots and atoms. Everything but repair only
    reads, and may be asked while the engine runs.
    """


@journal.command(
    epilog=examples(
        "pinnacle-tui journal verify sim-btc-usd-0001",
        "pinnacle-tui journal verify sim-btc-usd-0001 --deep --json",
    )
)
@click.argument("session")
@click.option(
    "--deep",
    "is_deep",
    is_flag=True,
    help="The bytes between records too, and the session computed anew from its beginning and its states.",
)
@data_dir_option
@json_option
def verify(session: str, is_deep: bool, data_dir: Path | None, as_json: bool) -> int:
    """Check headers, chain, checksums, numbers, batches and saved states.

    Ends with 0 for a clean journal, 1 for an end that a crash has torn, 6 for damage.
    """
    from engine.commands import journal_verify

    folder = sessions_folder(data_dir)
    with progress_bar("checking", "MiB", as_json, size=_MIB) as progress:
        answer = journal_verify.verify(session, folder, is_deep=is_deep, progress=progress)
    if is_deep:
        with progress_bar("computing anew", "records", as_json) as progress:
            journal_verify.compute_anew(answer, session, folder, progress)
    return tell(answer, journal_verify.verify_text(answer), as_json)


@journal.command(
    epilog=examples(
        "pinnacle-tui journal dump sim-btc-usd-0001 --from 100 --to 200",
        "pinnacle-tui journal dump sim-btc-usd-0001 --type fill --json",
    )
)
@click.argument("session")
@click.option(
    "--from", "from_seq", type=click.IntRange(min=1), default=1, metavar="SEQ", help="The first record."
)
@click.option("--to", "to_seq", type=click.IntRange(min=1), metavar="SEQ", help="The last record.")
@click.option("--type", "kind", metavar="T", help="Only records of this type, as fill or order_intent.")
@click.option("--product", metavar="P", help="Only records of this product.")
@data_dir_option
@json_option
def dump(
    session: str,
    from_seq: int,
    to_seq: int | None,
    kind: str | None,
    product: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Print records in plain words, or one JSON object a line."""
    from engine.commands import journal_dump

    lines = journal_dump.dump(
        session,
        sessions_folder(data_dir),
        from_seq=from_seq,
        to_seq=to_seq,
        kind=kind,
        product=product,
        as_json=as_json,
    )
    for line in lines:
        sys.stdout.write(line + "\n")
    return 0


@journal.command(
    epilog=examples(
        "pinnacle-tui journal stats sim-btc-usd-0001", "pinnacle-tui journal stats sim-btc-usd-0001 --json"
    )
)
@click.argument("session")
@data_dir_option
@json_option
def stats(session: str, data_dir: Path | None, as_json: bool) -> int:
    """Count records and bytes by type, files, saved states, and how late the disk was."""
    from engine.commands import journal_stats

    answer = journal_stats.stats(session, sessions_folder(data_dir))
    return tell(answer, journal_stats.stats_text(answer), as_json)


@journal.command(
    epilog=examples(
        "pinnacle-tui journal tail -n 5 sim-btc-usd-0001", "pinnacle-tui journal tail -f sim-btc-usd-0001"
    )
)
@click.argument("session")
@click.option("-n", "count", type=click.IntRange(min=0), default=10, metavar="N", help="The last N records.")
@click.option(
    "-f", "--follow", "is_followed", is_flag=True, help="Go on as records come, until the session ends."
)
@data_dir_option
@json_option
def tail(session: str, count: int, is_followed: bool, data_dir: Path | None, as_json: bool) -> int:
    """Print the last records."""
    from engine.commands import journal_dump

    records = journal_dump.Tail(session, sessions_folder(data_dir), as_json=as_json)
    if not is_followed:
        sys.stdout.writelines(f"{line}\n" for line in records.last(count))
        return 0
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        sys.stdout.writelines(f"{line}\n" for line in records.last(count))
        sys.stdout.flush()
        if not (records.is_over or records.is_written):
            click.echo("nothing writes this journal now; waiting for the next start, ctrl-c ends", err=True)
        for lines in records.follow(partial(pause, sys.stdout, journal_dump.LOOK_EVERY_S)):
            sys.stdout.writelines(f"{line}\n" for line in lines)
            sys.stdout.flush()
    return 0


@journal.command(
    epilog=examples(
        "pinnacle-tui journal repair sim-btc-usd-0001 --truncate-at 4711",
        "pinnacle-tui journal repair sim-btc-usd-0001 --truncate-at 4711 --yes",
    )
)
@click.argument("session")
@click.option(
    "--truncate-at",
    type=click.IntRange(min=2),
    required=True,
    metavar="SEQ",
    help="The first record to drop.",
)
@click.option("--yes", "is_confirmed", is_flag=True, help="Do it; without, only say what it would do.")
@data_dir_option
@json_option
def repair(session: str, truncate_at: int, is_confirmed: bool, data_dir: Path | None, as_json: bool) -> int:
    """Give up the end of a damaged journal; everything that is cut away is kept beside it as .broken."""
    from engine.commands import journal_repair

    answer = journal_repair.repair(session, sessions_folder(data_dir), truncate_at, is_confirmed=is_confirmed)
    return tell(answer, journal_repair.repair_text(answer), as_json)


@journal.command(
    epilog=examples(
        "pinnacle-tui journal diff sim-btc-usd-0001 sim-btc-usd-0002",
        "pinnacle-tui journal diff sim-btc-usd-0001 copy/sim-btc-usd-0001 --times",
    )
)
@click.argument("a")
@click.argument("b")
@click.option("--times", "with_times", is_flag=True, help="Compare wall clocks too.")
@data_dir_option
@json_option
def diff(a: str, b: str, with_times: bool, data_dir: Path | None, as_json: bool) -> int:
    """Find the first record in which two sessions A and B differ.

    Compared is what went into the traders and what came out. Ends with 0 when that is the same, 1 when not.
    """
    from engine.commands import journal_diff

    answer = journal_diff.diff(a, b, sessions_folder(data_dir), with_times=with_times)
    return tell(answer, journal_diff.diff_text(answer), as_json)
