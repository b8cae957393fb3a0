"""What belongs to a video beside its file and its texts: annotations and additional materials.

Nothing here says where they came from, so one that is there with the same contents is known.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from server.client.api import Api, at
from server.client.migration.calling import once
from server.client.migration.library import Library, SourceAnnotation, SourceMaterial, SourceVideo, items
from server.client.migration.results import Kind
from server.client.refusals import Refused

Facts = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One thing. `make` gives its id here, and raises Refused, Unreachable."""

    kind: Kind
    source_id: str
    title: str
    known: bool
    make: Callable[[], str]


def annotations(api: Api, library: Library, video: SourceVideo, video_id: str | None) -> list[Task]:
    """`video_id`: here; None while it is not there. Raises Refused, Unreachable."""
    wanted = library.annotations(video)
    there: Counter[Facts] = Counter()
    if wanted and video_id:
        shown = api.call("GET", at("v1", "videos", video_id, "annotations"))
        there = Counter(_of_annotation(one) for one in items(shown["data"]))

    def task(one: SourceAnnotation) -> Task:
        facts = one.kind, one.title, one.link, one.start_ms, one.end_ms
        return Task("annotation", one.id, one.title, _known(there, facts), lambda: _annotated(api, video_id or "", one))

    return [task(one) for one in wanted]


def materials(api: Api, library: Library, video: SourceVideo, video_id: str | None) -> list[Task]:
    """As `annotations`."""
    there: Counter[Facts] = Counter()
    if video.materials and video_id:
        shown = api.call("GET", at("v1", "videos", video_id))
        there = Counter(_of_material(one) for one in items(shown["data"]["additional_materials"]))

    def task(one: SourceMaterial) -> Task:
        known = _known(there, (one.title, one.filename, one.size))
        return Task("material", one.id, one.title, known, lambda: _sent(api, library, video, video_id or "", one))

    return [task(one) for one in video.materials]


def _known(there: "Counter[Facts]", facts: Facts) -> bool:
    """Each that is there stands for one."""
    there[facts] -= 1
    return there[facts] >= 0


def _of_annotation(found: Mapping[str, Any]) -> Facts:
    return tuple(found[name] for name in ("type", "title", "link", "start_time", "end_time"))


def _of_material(found: Mapping[str, Any]) -> Facts:
    return tuple(found[name] for name in ("title", "filename", "size"))


def _annotated(api: Api, video_id: str, one: SourceAnnotation) -> str:
    body = {
        "type": one.kind, "title": one.title, "link": one.link, "start_time": one.start_ms, "end_time": one.end_ms,
    }  # fmt: skip
    made = api.send("POST", at("v1", "videos", video_id, "annotations"), body, headers=once()).json
    return str(made["data"]["id"])


def _sent(api: Api, library: Library, video: SourceVideo, video_id: str, one: SourceMaterial) -> str:
    """Without a key for calls in twos: such a file is not sent again where it may have come."""
    content = library.material(one)
    if not content:
        raise Refused(413, {"title": "The file is empty."})
    headers = {
        "X-Video-ID": video_id, "X-File-Name": quote(one.filename, safe=""), "X-Title": quote(one.title, safe=""),
        "Content-Type": one.filetype,
    }  # fmt: skip
    made = api.send("POST", "/additional-material", content, headers=headers).json
    if video.materials_shown:
        api.call("PATCH", at("v1", "videos", video_id), {"additional_materials_enabled": True})
    return str(made["data"]["id"])
