"""Where everything lies: the only place that spells a path.

    <root>/sluice.db  owner.key  lock
    <root>/uploads/<upload id>/data            what has come of an upload, in order
    <root>/uploads/<upload id>/checked         how much of it is good, where its sender has it checked
    <root>/uploads/<upload id>/parts/<key>     a part that came ahead of its turn
    <root>/uploads/<upload id>/early/facts   index      what was found and made of it before it was whole
                                     <rendition>/…      as below; it goes along when the upload becomes a video's source
    <root>/videos/<video id>/source            a video's file as it was uploaded
    <root>/videos/<video id>/inputs/<number>   what an edit makes the source of, and what is made of it on the way
    <root>/videos/<video id>/index             where its samples lie
    <root>/videos/<video id>/early/…           of its upload, until it is taken over
    <root>/videos/<video id>/poster.jpg
    <root>/videos/<video id>/watermark.png     what is put over its pictures
    <root>/videos/<video id>/images/<name>     images made on request, for as long as there is room
    <root>/videos/<video id>/mp4/<name>        heads of progressive files
    <root>/videos/<video id>/r<revision>/plan           what is made of the source
    <root>/videos/<video id>/r<revision>/<rendition>/init.mp4   track   complete   cached
                                                    <first>.mp4   whole segments, number <first> and on
                                                    <first>.journal
    <root>/videos/<video id>/captions/<language>-<version>.vtt   and chapters/…
    <root>/videos/<video id>/edges/<rendition>/…        a clip's first and last segment, as of a broadcast
    <root>/watermarks/<watermark id>.png
    <root>/pictures/<player or live stream id>   a logo, a poster that was uploaded
    <root>/materials/<material id>             a file that goes with a video
    <root>/live-streams/<live stream id>/slate   what fills the reconnect window
    <root>/broadcasts/<broadcast id>/<rendition>/init-<generation>.mp4
                                                <msn>.m4s, the last one <msn>.m4s.open while it grows
                                                journal
"""

import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Layout:
    """The data folder. An id that could leave its folder is a ValueError."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "sluice.db"

    @property
    def owner_key(self) -> Path:
        return self.root / "owner.key"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    def upload(self, upload_id: str) -> Path:
        return self.uploads / _name(upload_id)

    def upload_data(self, upload_id: str) -> Path:
        return self.upload(upload_id) / "data"

    def upload_checked(self, upload_id: str) -> Path:
        return self.upload(upload_id) / "checked"

    def upload_parts(self, upload_id: str) -> Path:
        return self.upload(upload_id) / "parts"

    def upload_early(self, upload_id: str) -> "EarlyFolder":
        return EarlyFolder(self.upload(upload_id) / "early")

    @property
    def videos(self) -> Path:
        return self.root / "videos"

    def video(self, video_id: str) -> Path:
        return self.videos / _name(video_id)

    def video_source(self, video_id: str) -> Path:
        return self.video(video_id) / "source"

    def video_input(self, video_id: str, number: int) -> Path:
        """A file that the source is made of, until it is."""
        return self.video(video_id) / "inputs" / f"{number:d}"

    def video_input_part(self, video_id: str, name: str) -> Path:
        """What is made on the way from those files to the source."""
        return self.video(video_id) / "inputs" / _name(name)

    def video_inputs(self, video_id: str) -> Path:
        """The folder of all of that."""
        return self.video(video_id) / "inputs"

    def edited(self) -> list[str]:
        """Ids of videos in whose folders something is put before their rows are: inputs, a watermark."""
        found = [*self.videos.glob("*/inputs"), *self.videos.glob("*/watermark.png")]
        return sorted({path.parent.name for path in found})

    def video_index(self, video_id: str) -> Path:
        return self.video(video_id) / "index"

    def video_early(self, video_id: str) -> "EarlyFolder":
        return EarlyFolder(self.video(video_id) / "early")

    def video_poster(self, video_id: str) -> Path:
        return self.video(video_id) / "poster.jpg"

    def video_watermark(self, video_id: str) -> Path:
        """A copy that stays the video's own."""
        return self.video(video_id) / "watermark.png"

    def video_image(self, video_id: str, name: str) -> Path:
        """An image that was made on request."""
        return self.video(video_id) / "images" / _name(name)

    def video_movie(self, video_id: str, name: str) -> Path:
        """What stands before the samples of a progressive file, and where they lie."""
        return self.video(video_id) / "mp4" / _name(name)

    def video_images(self) -> list[Path]:
        """All of them, of all videos."""
        return sorted(self.videos.glob("*/images/*"))

    def video_revision(self, video_id: str, revision: int) -> Path:
        return self.video(video_id) / f"r{revision:d}"

    def video_revisions(self, video_id: str) -> list[Path]:
        """The folders of all revisions of its source that something was made of."""
        return sorted(path for path in self.video(video_id).glob("r*") if path.name[1:].isdecimal())

    def video_plan(self, video_id: str, revision: int) -> Path:
        return self.video_revision(video_id, revision) / "plan"

    def made(self, video_id: str, revision: int, rendition: str) -> "MadeFolder":
        """The folder of a rendition that is made of a video's source."""
        return MadeFolder(self.video_revision(video_id, revision) / _name(rendition))

    def cached_folders(self) -> "list[tuple[str, int, MadeFolder]]":
        """(video id, revision, folder) of all renditions whose segments are made when they are asked for."""
        found = [path.parent for path in self.videos.glob("*/r*/*/cached")]
        return [(path.parents[1].name, int(path.parent.name[1:]), MadeFolder(path)) for path in found]

    def text_track(self, video_id: str, kind: str, language: str, version: int) -> Path:
        """Captions or chapters."""
        return self.video(video_id) / _name(kind) / f"{_name(language)}-{version}.vtt"

    def text_versions(self, video_id: str, kind: str, language: str) -> list[int]:
        """Those of which there is a file. Blocks."""
        found = self.text_track(video_id, kind, language, 0).parent.glob(f"{_name(language)}-*.vtt")
        versions = [path.stem.removeprefix(f"{language}-") for path in found]
        return [int(version) for version in versions if version.isdecimal()]

    def clip_edges(self, video_id: str, rendition: str) -> "RenditionFolder":
        """Segments in the place of some of a broadcast's own."""
        return RenditionFolder(self.video(video_id) / "edges" / _name(rendition))

    def watermark(self, watermark_id: str) -> Path:
        return self.root / "watermarks" / f"{_name(watermark_id)}.png"

    def watermark_ids(self) -> list[str]:
        """Watermarks that have a file."""
        return sorted(path.stem for path in (self.root / "watermarks").glob("*.png"))

    def picture(self, owner_id: str) -> Path:
        return self.root / "pictures" / _name(owner_id)

    def picture_owners(self) -> list[str]:
        """Whose pictures there are; half-written ones are named otherwise than any id."""
        return sorted(path.name for path in (self.root / "pictures").glob("*"))

    def material(self, material_id: str) -> Path:
        return self.root / "materials" / _name(material_id)

    def material_ids(self) -> list[str]:
        """Names of the files that there are; half-written ones are named otherwise than any id."""
        return sorted(path.name for path in (self.root / "materials").glob("*"))

    def slate(self, live_stream_id: str) -> Path:
        """The only file in its folder."""
        return self.root / "live-streams" / _name(live_stream_id) / "slate"

    @property
    def broadcasts(self) -> Path:
        return self.root / "broadcasts"

    def broadcast(self, broadcast_id: str) -> Path:
        return self.broadcasts / _name(broadcast_id)

    def broadcast_ids(self) -> list[str]:
        """Broadcasts that have a folder."""
        return [path.name for path in self.broadcasts.iterdir()] if self.broadcasts.is_dir() else []

    def rendition(self, broadcast_id: str, rendition: str) -> "RenditionFolder":
        """The folder of one track of a broadcast."""
        return RenditionFolder(self.broadcast(broadcast_id) / _name(rendition))

    def renditions(self, broadcast_id: str) -> list[str]:
        """Names of the renditions that are on disk."""
        folder = self.broadcast(broadcast_id)
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


@dataclass(frozen=True, slots=True)
class RenditionFolder:
    """A track of a broadcast: its segments in order of media sequence number, and the journal that lists them."""

    path: Path

    def init(self, generation: int) -> Path:
        return self.path / f"init-{generation}.mp4"

    def segment(self, msn: int) -> Path:
        return self.path / f"{msn}.m4s"

    def open_segment(self, msn: int) -> Path:
        """A segment while it is being written."""
        return self.path / f"{msn}.m4s.open"

    def numbers(self) -> list[int]:
        """Media sequence numbers of the segments that are there, in order."""
        found = (path.name.removesuffix(".m4s") for path in self.path.glob("*.m4s"))
        return sorted(int(name) for name in found if name.isdecimal())

    @property
    def journal(self) -> Path:
        return self.path / "journal"


@dataclass(frozen=True, slots=True)
class MadeFolder:
    """A rendition made of a source: runs of segments, each with the journal that lists them."""

    path: Path

    @property
    def init(self) -> Path:
        return self.path / "init.mp4"

    @property
    def track(self) -> Path:
        return self.path / "track"

    @property
    def complete(self) -> Path:
        """Is there once nothing is to come."""
        return self.path / "complete"

    @property
    def cached(self) -> Path:
        """Is there where segments are made when they are asked for, and may go again."""
        return self.path / "cached"

    def run(self, first: int) -> Path:
        return self.path / f"{first:d}.mp4"

    def journal(self, first: int) -> Path:
        return self.path / f"{first:d}.journal"

    def runs(self) -> list[int]:
        """The first segments of the runs that were begun, in order."""
        found = (path.name.removesuffix(".journal") for path in self.path.glob("*.journal"))
        return sorted(int(name) for name in found if name.isdecimal())


@dataclass(frozen=True, slots=True)
class EarlyFolder:
    """What was made of an upload before it was whole."""

    path: Path

    @property
    def facts(self) -> Path:
        """Without it the rest means nothing."""
        return self.path / "facts"

    @property
    def index(self) -> Path:
        return self.path / "index"

    def made(self, rendition: str) -> MadeFolder:
        return MadeFolder(self.path / _name(rendition))

    def renditions(self) -> list[str]:
        """Those that were begun."""
        return sorted(path.parent.name for path in self.path.glob("*/track"))


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"not a name: {text!r}")
    return text
