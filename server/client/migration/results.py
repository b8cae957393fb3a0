"""What became of each thing of a library."""

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["player", "video", "annotation", "material", "playlist"]
Result = Literal["new", "known", "again", "skipped", "missing", "failed"]
KINDS: tuple[Kind, ...] = ("player", "video", "annotation", "material", "playlist")
RESULTS: tuple[Result, ...] = ("new", "again", "known", "skipped", "missing", "failed")
UNDONE: frozenset[Result] = frozenset({"missing", "failed"})  # what another run may have to do


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one. Of videos `new` and `again`: the server fetches its file now, or has been sent it; `skipped`:
    there is none; `missing`: there is one that can't be had. Of playlists `again`: videos were added. `reason` may also
    say what of one that is there could not be had. `video_id`: here; of an annotation or a material, that it is of.
    `id`: its own id here, where it is no video."""

    source_id: str
    title: str
    result: Result
    video_id: str | None = None
    reason: str = ""
    kind: Kind = "video"
    id: str | None = None

    def shown(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "sourceId": self.source_id, "title": self.title, "result": self.result,
            "videoId": self.video_id, "id": self.video_id if self.kind == "video" else self.id,
            "reason": self.reason or None,
        }  # fmt: skip
