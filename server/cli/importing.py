"""`sluice import`: many videos at once, of a table of URLs or of a library elsewhere."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from server.cli.options import JSON_OPTION, Failed, calls_api
from server.cli.showing import show_json, show_list
from server.cli.tables import column, printable, table
from server.client.api import Api, Unreachable
from server.client.importing import import_file, unfinished
from server.client.migration.apivideo import ApiVideo
from server.client.migration.kinescope import Kinescope
from server.client.migration.library import Library
from server.client.migration.results import KINDS, RESULTS, UNDONE, Kind, Taken
from server.client.migration.taking import Migration
from server.client.migration.videos import FAILED
from server.client.patience import Patient
from server.client.refusals import Refused
from server.client.watching import watch

LIBRARIES: dict[str, type[ApiVideo] | type[Kinescope]] = {"apivideo": ApiVideo, "kinescope": Kinescope}
TOLD_WAIT_S = 3.0  # of shorter waits nobody has to know
COLUMNS = [
    column("KIND", "kind"),
    column("THERE", "sourceId"),
    column("HERE", "id"),
    column("TITLE", "title", cut=True, rank=1),
    column("RESULT", "result"),
    column("REASON", "reason", cut=True),
]
COMING = frozenset({"new", "again", "known"})
SUMMARY = [column("", "kind"), *(column(result.upper(), result, right=True) for result in RESULTS)]
SHOWN: frozenset[Kind] = frozenset({"player", "video", "playlist"})  # a line for each; of others where one is undone


@click.command("import")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "source", type=click.Choice(list(LIBRARIES)), help="Take a library over from there instead.")
@click.option("--source-url", help="Of that API, where it is not the public one.")
@click.option("--source-key", envvar="SLUICE_SOURCE_KEY", help="API key of that library.")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken over.")
@click.option("--wait", is_flag=True, help="Wait until what was taken over is encoded, too.")
@JSON_OPTION
@calls_api
def import_videos(
    api: Api, file: Path | None, source: str | None, source_url: str | None, source_key: str | None, dry_run: bool,
    wait: bool, as_json: bool,
) -> None:  # fmt: skip
    """Import videos from FILE, a CSV table whose first row names its columns (url, title, description, tags, public,
    metadata.…), and wait until all are done; or --from a library elsewhere, with titles, descriptions, tags, metadata,
    captions, chapters, thumbnails, players, folders, annotations, materials and playlists. What was imported before is
    only looked at."""
    if (file is None) == (source is None):
        raise click.UsageError("Give a FILE, or --from.")
    if file is not None:
        _of_table(api, file, as_json)
        return
    if not source_key:
        raise click.UsageError("--from takes --source-key, or SLUICE_SOURCE_KEY.")
    patient = Patient(_waiting)
    library = LIBRARIES[source or ""](source_key, source_url, patient)
    api = replace(api, ask=patient)
    found = _taken_over(api, library, dry_run, as_json)
    if wait and not dry_run:
        found = _ended(api, found)
    _report(found, as_json)


def _of_table(api: Api, file: Path, as_json: bool) -> None:
    left = 0
    with click.progressbar(length=1, label="Importing", file=sys.stderr) as bar:

        def began(found: dict[str, Any]) -> None:
            nonlocal left
            bar.length, left = found["total"], found["total"]
            moved(found)

        def moved(found: dict[str, Any]) -> None:
            nonlocal left
            bar.update(left - unfinished(found))
            left = unfinished(found)

        try:
            found = import_file(api, file, began, moved)
        except ConnectionError:
            raise
        except OSError as error:
            raise Failed(str(error)) from None
    if as_json:
        show_json(found)
    else:
        for video in found["videos"]:
            reason = f": {video['error']['title']} {video['error']['detail'] or ''}" if video["error"] else ""
            click.echo(printable(f"{video['videoId']}  {video['state']}  {video['title'] or ''}{reason}"))
    sys.exit(any(video["state"] != "done" for video in found["videos"]))


def _waiting(seconds: float, reason: str) -> None:
    if seconds >= TOLD_WAIT_S:
        click.echo(f"\nWaiting {seconds:.0f} s: {printable(reason)}", err=True)


def _taken_over(api: Api, library: Library, rehearsal: bool, as_json: bool) -> list[Taken]:
    """Where it breaks off, what was taken until then is shown. Raises Refused, Unreachable, KeyboardInterrupt."""
    found: list[Taken] = []
    try:
        _take(api, library, rehearsal, found)
    except (Refused, Unreachable, KeyboardInterrupt):
        if found:
            _show(found, as_json)
        raise
    return found


def _take(api: Api, library: Library, rehearsal: bool, found: list[Taken]) -> None:
    with click.progressbar(length=1, label="Looking at videos" if rehearsal else "Taking over", file=sys.stderr) as bar:

        def began(total: int) -> None:
            bar.length = max(total, 1)

        def moved(taken: Taken) -> None:
            found.append(taken)
            bar.update(taken.kind == "video")

        Migration(api, library, rehearsal).run(began, moved)


def _ended(api: Api, found: list[Taken]) -> list[Taken]:
    """Waits for each that is here; those whose file could not be had, or not be read, have failed."""
    with click.progressbar(found, label="Waiting", file=sys.stderr) as bar:
        return [_awaited(api, one) if one.kind == "video" and one.result in COMING else one for one in bar]


def _awaited(api: Api, taken: Taken) -> Taken:
    try:
        video = watch(api, taken.video_id or "", lambda _: None).video
    except Refused as refusal:  # deleted meanwhile
        return replace(taken, result="failed", reason=str(refusal))
    if video["state"] not in FAILED:
        return taken
    error = video["error"] or {}
    said = [error.get("title"), error.get("detail")]
    return replace(taken, result="failed", reason=" ".join(filter(None, said)) or video["state"])


def _summary(found: list[Taken]) -> list[str]:
    """How many of each kind became what."""
    counts = Counter((one.kind, one.result) for one in found)
    there = {one.kind for one in found} | {"video"}
    rows = [
        {"kind": f"{kind}s", **{result: counts[kind, result] for result in RESULTS}} for kind in KINDS if kind in there
    ]
    return table(rows, SUMMARY, None)


def _report(found: list[Taken], as_json: bool) -> None:
    """Exits with 1 where one is not as it should be: then another run may do more."""
    _show(found, as_json)
    sys.exit(any(one.result in UNDONE for one in found))


def _show(found: list[Taken], as_json: bool) -> None:
    if as_json:
        show_json([one.shown() for one in found])
    else:
        show_list([one.shown() for one in found if one.kind in SHOWN or one.result in UNDONE], COLUMNS, False)
        for line in _summary(found):
            click.echo(line, err=True)
        for one in found if sys.stdout.isatty() else ():  # tables cut reasons there
            if one.reason and one.result in UNDONE:
                click.echo(printable(f"{one.source_id}: {one.reason}"), err=True)
