"""What is on a storyboard's sheet, for players: WebVTT with places in the sheet (#xywh=), or JSON as Mux gives it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import orjson

from server.formats.webvtt import Cue, TextTrack, write


class Tile(NamedTuple):
    start_s: float
    end_s: float
    x: int  # pixels from the left edge of the sheet
    y: int


def webvtt(told: Mapping[str, Any], times: Sequence[float], duration_s: float, sheet: str) -> str:
    """`told` is what the child said of the sheet, `sheet` its URL, relative to the text's."""
    size = f"{told['tile_width']},{told['tile_height']}"
    cues = [
        Cue(round(tile.start_s * 1000), round(tile.end_s * 1000), f"{sheet}#xywh={tile.x},{tile.y},{size}")
        for tile in _tiles(told, times, duration_s)
    ]
    return write(TextTrack(tuple(cues)))


def as_json(told: Mapping[str, Any], times: Sequence[float], duration_s: float, sheet: str) -> bytes:
    tiles = [{"start": tile.start_s, "x": tile.x, "y": tile.y} for tile in _tiles(told, times, duration_s)]
    size = {"tile_width": told["tile_width"], "tile_height": told["tile_height"]}
    return orjson.dumps({"url": sheet, **size, "duration": duration_s, "tiles": tiles})


def _tiles(told: Mapping[str, Any], times: Sequence[float], duration_s: float) -> Iterator[Tile]:
    ends = [*times, max(duration_s, times[-1] + 0.001)]
    for number, (start_s, end_s) in enumerate(pairwise(ends)):
        row, column = divmod(number, told["columns"])
        yield Tile(start_s, end_s, column * told["tile_width"], row * told["tile_height"])
