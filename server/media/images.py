"""The child that makes the images of a video, as calls.images orders them.

    arguments  {"where": as stills.opened takes it, "make": {"kind", …}, "outputs": {name: fd}}
               where "treatment" (orders.Treatment) is what is done to the pictures, and "watermark" its image's fd
    events     {"event": "made", …}                        the outputs are written
               {"event": "problem", "code", "detail"}      there is no picture to be had

    kind         make                                             outputs, and what is said of them
    thumbnail    at_s, exact, width, height, fit                  jpg | webp: at_s
    storyboard   times, duration_s                                jpg, webp: tile_width, tile_height, columns, starts
    animated     start_s, end_s, width, height, fit, fps          gif | webp | mp4: pictures
    candidates   times                                            none: candidates [{"at_s", "score"}], the best first
    poster       times                                            jpg: the best of them, its at_s
    waveform                                                      jpg: of sound alone
    watermark                                                     png, with what can be seen through: width, height
"""

from typing import Any

from av.error import FFmpegError

from server.formats.fmp4.box import BoxError
from server.formats.fmp4.index import IndexDamagedError
from server.media import animations, candidates, guard, sheets, stills, waveforms
from server.media.decoding import DecoderError
from server.media.fitting import Box
from server.media.lengths import LengthError
from server.media.orders import Treatment
from server.media.pictures import MAX_SIDE, DecodeError, coded, fitted, transparent
from server.media.stills import Stills
from server.media.treated import Treated

Outputs = dict[str, bytes]


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    make = arguments["make"]
    try:
        made, told = _made(arguments["where"], make, list(arguments["outputs"]))
    except (DecodeError, DecoderError, BoxError, IndexDamagedError, LengthError, FFmpegError) as error:
        say({"event": "problem", "code": "invalid", "detail": f"no picture can be made of the video: {error}"})
        return
    for name, data in made.items():
        with open(arguments["outputs"][name], "wb", closefd=False) as out:
            out.write(data)
    say({"event": "made", **told})


def _made(where: dict[str, Any], make: dict[str, Any], formats: list[str]) -> tuple[Outputs, dict[str, Any]]:
    if make["kind"] == "waveform":
        return {"jpg": coded(waveforms.drawn(where["source"]), "jpg")}, {}
    return MAKERS[make["kind"]](_shown(where), make, formats)


def _shown(where: dict[str, Any]) -> Stills:
    source = stills.opened(where)
    if "treatment" not in where:
        return source
    return Treated(source, Treatment.of_json(where["treatment"]), stills.image(where.get("watermark")))


def _thumbnail(source: Stills, make: dict[str, Any], formats: list[str]) -> tuple[Outputs, dict[str, Any]]:
    at_s, frame = source.exact(make["at_s"]) if make["exact"] else source.key(make["at_s"])
    picture = fitted(frame, _box(make), source.rotation, source.sar)
    return {name: coded(picture, name) for name in formats}, {"at_s": at_s}


def _storyboard(source: Stills, make: dict[str, Any], formats: list[str]) -> tuple[Outputs, dict[str, Any]]:
    sheet, told = sheets.sheet(source, make["times"])
    return {name: coded(sheet, name) for name in formats}, told


def _animated(source: Stills, make: dict[str, Any], formats: list[str]) -> tuple[Outputs, dict[str, Any]]:
    data, pictures = animations.made(source, make["start_s"], make["end_s"], _box(make), make["fps"], formats[0])
    return {formats[0]: data}, {"pictures": pictures}


def _candidates(source: Stills, make: dict[str, Any], _: list[str]) -> tuple[Outputs, dict[str, Any]]:
    return {}, {"candidates": [found._asdict() for found in candidates.best(source, make["times"])]}


def _poster(source: Stills, make: dict[str, Any], formats: list[str]) -> tuple[Outputs, dict[str, Any]]:
    at_s = candidates.best(source, make["times"])[0].at_s
    picture = fitted(source.key(at_s).frame, Box(MAX_SIDE, MAX_SIDE), source.rotation, source.sar)
    return {name: coded(picture, name) for name in formats}, {"at_s": at_s}


def _watermark(source: Stills, make: dict[str, Any], formats: list[str]) -> tuple[Outputs, dict[str, Any]]:
    picture = transparent(source.key(0.0).frame)
    return {name: coded(picture, name) for name in formats}, {"width": picture.width, "height": picture.height}


def _box(make: dict[str, Any]) -> Box:
    return Box(make["width"], make["height"], make["fit"])


MAKERS = {"thumbnail": _thumbnail, "storyboard": _storyboard, "animated": _animated, "candidates": _candidates,
          "poster": _poster, "watermark": _watermark}  # fmt: skip

if __name__ == "__main__":
    guard.run(work)
