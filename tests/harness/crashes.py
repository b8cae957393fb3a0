"""Servers that are killed while they make videos, and whether a viewer can tell afterwards.

A server is killed with SIGKILL at random moments of the work and started again, or one of its children is. At the end
every playlist, segment, picture and sound that is served must be what an undisturbed run made, and nothing that was
served meanwhile may have been served otherwise later.
"""

import hashlib
import http.client
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

from tests.harness import media
from tests.harness.server import Server, until
from tests.harness.uploads import ended, post_source

# Several jobs of each video: the first seconds by themselves, then shares of four.
SETTINGS = {"SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__CHUNK_S": "4"}
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
OLD = ("-c:v", "mpeg4", "-q:v", "5", "-c:a", "libmp3lame")
END_S = 120.0
LOOK_S = 0.2
GONE_S = 5.0


Makers = Mapping[str, Callable[[], str]]  # by name, what begins a video; its id


def sources(seconds: float = 17, size: str = "640x360", fps: int = 15) -> list[Path]:
    """Served by its own index; copied, with renditions for those who don't have its codecs; encoded only."""
    return [
        media.clip(seconds, size=size, fps=fps, b_frames=2),
        media.clip(seconds, size=size, fps=fps, extension="webm", extra=VP9),
        media.clip(seconds, size=size, fps=fps, extension="avi", extra=OLD),
    ]


@dataclass(slots=True)
class Served:
    """A video as a viewer gets it, by paths below its folder."""

    texts: dict[str, str] = field(default_factory=dict)  # playlists
    media: dict[str, str] = field(default_factory=dict)  # hashes of init segments and segments
    frames: list[str] = field(default_factory=list)  # of all renditions, decoded: stream, times, size and hash


class Viewer:
    """Takes all that is served of some videos, again and again, and remembers what it got."""

    def __init__(self, server: Server, videos: Sequence[str]) -> None:
        self._server = server
        self.seen = {video: Served() for video in videos}
        self.complaints: list[str] = []
        self._stop = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(60)

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            for video, served in self.seen.items():
                try:
                    self._look(video, served)
                except (OSError, http.client.HTTPException):
                    continue  # it is being killed, or not up again

    def _look(self, video: str, served: Served) -> None:
        now = take(self._server, video, known=served.media)
        for path, text in now.texts.items():
            before = served.texts.get(path)
            if before is not None and path.endswith(".m3u8") and not _goes_on(before, text):
                self.complaints.append(f"{video}/{path} was\n{before}\nand became\n{text}")
        served.texts |= now.texts
        served.media |= now.media

    def check(self, video: str, final: Served) -> None:
        """What was served meanwhile is what is served in the end."""
        served = self.seen[video]
        for path, text in served.texts.items():
            if not _goes_on(text, final.texts.get(path, "")):
                self.complaints.append(f"{video}/{path} was\n{text}\nand is\n{final.texts.get(path)}")
        other = [path for path, digest in served.media.items() if final.media.get(path) != digest]
        if other:
            self.complaints.append(f"{video}: served otherwise before: {other}")


def take(server: Server, video: str, known: Mapping[str, str] | None = None) -> Served:
    """What is served of a video now, but media that is known already; nothing before it can be watched."""
    root, served = f"/vod/{video}/hls/", Served()
    answer = server.get(root + "manifest.m3u8")
    if answer.status != 200:
        return served
    served.texts["manifest.m3u8"] = answer.text
    for uri in _listed(answer.text):
        playlist = server.get(root + uri)
        assert playlist.status == 200, f"{root}{uri}: {playlist.status}"
        served.texts[uri] = playlist.text
        for name in _media(playlist.text):
            path = urljoin(uri, name)
            if path not in (known or {}):
                part = server.get(root + path)
                assert part.status == 200, f"{root}{path}: {part.status}"
                served.media[path] = hashlib.sha256(part.body).hexdigest()
    return served


def outcome(server: Server, video: str) -> Served:
    """A video that has ended, with all its pictures and sound decoded."""
    state = server.api("GET", f"/videos/{video}")
    assert state["state"] == "done", state["error"]
    served = take(server, video)
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", f"{server.http}/vod/{video}/hls/manifest.m3u8",
         "-map", "0", "-fps_mode", "passthrough", "-f", "framemd5", "-"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    served.frames = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    return served


def differences(ours: Served, theirs: Served) -> list[str]:
    """In what two makings of a source differ; a sentence each."""
    found = [f"playlist {path} differs" for path in _differing(ours.texts, theirs.texts)]
    found += [f"{path} differs" for path in _differing(ours.media, theirs.media)]
    if ours.frames != theirs.frames:
        other = sum(one != another for one, another in zip(ours.frames, theirs.frames, strict=False))
        found.append(f"{len(ours.frames)} frames against {len(theirs.frames)}, {other} of them others")
    return found


def _differing(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    return [path for path in sorted({*ours, *theirs}) if ours.get(path) != theirs.get(path)]


def _listed(master: str) -> list[str]:
    plain = [line for line in master.splitlines() if line and not line.startswith("#")]
    quoted = re.findall(r'^#EXT-X-MEDIA:.*URI="([^"]+)"', master, re.MULTILINE)
    return list(dict.fromkeys([*plain, *quoted]))


def _media(playlist: str) -> list[str]:
    return re.findall(r'URI="([^"]+)"', playlist) + [
        line for line in playlist.splitlines() if line and not line.startswith("#")
    ]


def _goes_on(before: str, after: str) -> bool:
    """Whether a player that read the playlist before can go on with it: of a multivariant one, whether all that was
    listed still is, of another whether its lines only became more."""
    if "#EXTINF" not in before:
        return set(_listed(before)) <= set(_listed(after))
    lines = before.replace("PLAYLIST-TYPE:EVENT", "PLAYLIST-TYPE:VOD").splitlines()
    return after.replace("PLAYLIST-TYPE:EVENT", "PLAYLIST-TYPE:VOD").splitlines()[: len(lines)] == lines


def uploads(server: Server, paths: Sequence[Path]) -> Makers:
    """Makers of each of these files' videos."""

    def post(path: Path) -> str:
        return str(post_source(server, path)["videoId"])

    return {path.name: partial(post, path) for path in paths}


def edits(server: Server, seconds: float = 6, size: str = "320x180") -> Makers:
    """Makers of what is made of videos: cut out, joined by copying, and joined where some has to be encoded."""
    ids = joinable(server, seconds, size)

    def joined(*parts: str) -> str:
        return str(server.api("POST", "/videos/concat", {"videos": parts})["videoId"])

    def cut() -> str:
        return str(server.api("POST", f"/videos/{ids[0]}/clips", {"start": 1.5, "end": seconds - 1})["videoId"])

    return {
        "clip": cut,
        "joined by copying": lambda: joined(ids[0], ids[0]),
        "joined and encoded": lambda: joined(ids[0], ids[1], ids[0]),
    }


def joinable(server: Server, seconds: float, size: str = "320x180") -> list[str]:
    """Two videos; the second has to be encoded to go with the first."""
    first = media.clip(seconds, size=size, fps=15, b_frames=2)
    other = media.clip(seconds, size="180x240", fps=12, audio=False, extension="webm", extra=VP9)
    return [str(ended(server, post_source(server, path)["videoId"], END_S)["videoId"]) for path in (first, other)]


class Crashes:
    """Makings of some videos on one server: the first one undisturbed, each later one compared with it."""

    def __init__(self, server: Server, makers: Makers) -> None:
        self._server = server
        self._makers = makers
        began = time.monotonic()
        self._undisturbed = [self._ended(video) for video in self._posted()]
        self.lasts_s = time.monotonic() - began
        self.kills = 0

    def run(self, chance: random.Random, kills: int) -> list[str]:
        """Makes them once more, with so many kills, at moments that `chance` chooses; what is wrong then."""
        moments = sorted(self.lasts_s * chance.random() ** 1.5 for _ in range(kills))
        videos = self._posted()
        viewer = Viewer(self._server, videos)
        with viewer.watching():
            for before, moment in zip([0.0, *moments], moments, strict=False):
                time.sleep(moment - before)
                if chance.random() < 0.25:
                    self._kill_child(chance)
                else:
                    kill(self._server)
                self.kills += 1
            final = [self._ended(video) for video in videos]
        found = []
        for name, video, ours, theirs in zip(self._makers, videos, final, self._undisturbed, strict=True):
            viewer.check(video, ours)
            found += [f"{name}: {each}" for each in differences(ours, theirs)]
        return found + viewer.complaints

    def _posted(self) -> list[str]:
        return [make() for make in self._makers.values()]

    def _ended(self, video: str) -> Served:
        ended(self._server, video, END_S)
        return outcome(self._server, video)

    def _kill_child(self, chance: random.Random) -> None:
        if children := descendants(self._server.pid):
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(chance.choice(children), signal.SIGKILL)


def kill(server: Server) -> None:
    """With all its children, and starts it again."""
    children = descendants(server.pid)
    server.kill()
    until(lambda: not any(map(alive, children)), GONE_S)
    server.start()


def descendants(pid: int) -> list[int]:
    """Of a process, that run."""
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            parents[int(entry.name)] = int(stat[1])
    found, frontier = [], [pid]
    while frontier:
        parent = frontier.pop()
        frontier += (own := [child for child, its in parents.items() if its == parent])
        found += own
    return found


def alive(pid: int) -> bool:
    stat = _stat(pid)
    return stat is not None and stat[0] != "Z"


def _stat(pid: int) -> list[str] | None:
    """State, parent and what follows in /proc/PID/stat."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()
