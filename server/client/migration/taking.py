"""A library elsewhere, taken over: its players, its videos with what belongs to them, and its playlists, in this order,
for the later ones name the ones before."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from server.client.api import Api, Unreachable
from server.client.migration import belongings
from server.client.migration.belongings import Task
from server.client.migration.calling import picture
from server.client.migration.folders import Folders
from server.client.migration.library import Library, Listed, Listing, SourcePlayer, SourcePlaylist, SourceVideo
from server.client.migration.players import Players
from server.client.migration.playlists import Playlists
from server.client.migration.results import Kind, Taken
from server.client.migration.videos import ORIGIN, Videos
from server.client.paging import Endless
from server.client.refusals import Refused

HOPELESS = 5  # things in a row for which there was no answer, or none that a server gives on purpose: it is gone

T = TypeVar("T", SourcePlayer, SourcePlaylist)


class Migration:
    """`rehearsal`: it only says what would become of each thing, and changes nothing."""

    def __init__(self, api: Api, library: Library, rehearsal: bool = False) -> None:
        self._api = api
        self._library = library
        self._rehearsal = rehearsal
        folders = Folders(api)
        self._here: dict[str, str] = {}  # ids of videos there -> here
        self._players = Players(api, partial(picture, library), self._tell)
        self._videos = Videos(api, library, self._players, folders, rehearsal)
        mark = f"{ORIGIN}:{library.name}:"
        self._playlists = Playlists(api, mark, self._here, self._players.id_of, folders.id_of)
        self._found: list[Taken] = []
        self._moved: Callable[[Taken], None] = lambda _: None
        self._hopeless = 0

    def run(self, began: Callable[[int], None], moved: Callable[[Taken], None]) -> list[Taken]:
        """`began` hears how many videos there are, `moved` of each thing. What goes wrong with one does not keep the
        others. Raises Refused and Unreachable where the list of videos can't be had, or nothing answers any more; one
        that has no end is told."""
        listing = self._library.listing()
        self._moved = moved
        began(listing.total)
        self._all("player", self._library.players, self._players.taken)
        for listed in self._to_the_end(listing):
            self._video(listed)
        self._all("playlist", self._library.playlists, self._playlist)
        return self._found

    def _to_the_end(self, listing: Listing) -> Iterator[Listed]:
        try:
            yield from listing.videos
        except Endless as failure:
            self._tell(Taken("", "The list of videos", "failed", reason=str(failure)))

    def _all(self, kind: Kind, listed: Callable[[], Iterable[T]], take: Callable[[T, bool], Taken]) -> None:
        """Where their list can't be had, or not to its end, that is told, and the others are taken."""
        found: list[T] = []
        try:
            for one in listed():
                found.append(one)  # noqa: PERF402  # as many as come
        except (Refused, Unreachable) as failure:
            self._tell(Taken("", f"The list of {kind}s", "failed", reason=str(failure), kind=kind))
        for one in found:
            self._each(kind, one.id, one.name, None, partial(take, one, self._rehearsal))

    def _video(self, listed: Listed) -> None:
        seen: list[SourceVideo] = []

        def work() -> Taken:
            seen.append(self._library.video(listed))
            return self._videos.taken(seen[0])

        taken = self._each("video", listed.id, listed.title, None, work)
        if taken.video_id is not None:
            self._here[listed.id] = taken.video_id
        if seen and (taken.video_id is not None or taken.result == "new"):
            self._belongings("annotation", belongings.annotations, seen[0], taken.video_id)
            self._belongings("material", belongings.materials, seen[0], taken.video_id)

    def _playlist(self, one: SourcePlaylist, rehearsal: bool) -> Taken:
        """Raises Refused, Unreachable."""
        return self._playlists.taken(one, self._library.entries(one), rehearsal)

    def _belongings(
        self, kind: Kind, look: Callable[[Api, Library, SourceVideo, str | None], list[Task]], video: SourceVideo,
        video_id: str | None,
    ) -> None:  # fmt: skip
        try:
            tasks = look(self._api, self._library, video, video_id)
        except (Refused, Unreachable) as failure:
            sentence = f"Its {kind}s can't be listed: {failure}"
            self._tell(Taken(video.id, video.title, "failed", video_id, sentence, kind))
            return
        for task in tasks:
            self._each(kind, task.source_id, task.title, video_id, partial(self._done, task, video_id))

    def _done(self, task: Task, video_id: str | None) -> Taken:
        """Raises Refused, Unreachable."""
        id = None if task.known or self._rehearsal else task.make()
        return Taken(task.source_id, task.title, "known" if task.known else "new", video_id, "", task.kind, id)

    def _each(self, kind: Kind, source_id: str, title: str, video_id: str | None, work: Callable[[], Taken]) -> Taken:
        """Raises Refused and Unreachable where it is hopeless."""
        failure: Refused | Unreachable | None = None
        try:
            taken = work()
        except (Refused, Unreachable) as error:
            failure, taken = error, Taken(source_id, title, "failed", video_id, str(error), kind)
        self._tell(taken)
        self._hopeless = self._hopeless + 1 if failure is not None and _hopeless(failure) else 0
        if failure is not None and self._hopeless >= HOPELESS:
            raise failure
        return taken

    def _tell(self, taken: Taken) -> None:
        self._found.append(taken)
        self._moved(taken)


def _hopeless(failure: Refused | Unreachable) -> bool:
    """It says nothing of the one thing that was asked for."""
    return isinstance(failure, Unreachable) or failure.status in (401, 429) or failure.status >= 500
