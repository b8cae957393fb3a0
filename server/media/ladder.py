"""Which renditions are transcoded of a picture: the table, and how it is fitted to a source. Pure; live and on demand.

A rendition never has more lines, pictures or bits a second than its source. It is named by its lines, `720p`; those of
an upright picture are counted across, so that a telephone's 1080×1920 has a 720p of 720×1280.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

# lines of the source, at least -> lines of its renditions. The source itself is always on offer; three more cost about
# as much as one machine's core and a half, and each is about half the bits of the one before.
LADDERS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (1440, (1080, 720, 480)),
    (1080, (720, 480, 360)),
    (720, (480, 360)),
    (480, (360, 240)),
    (360, (240,)),
)
NEARLY = Fraction(9, 10)  # of the lines that a row asks for: 1,072 or 1,000 lines are a "1080p"

# lines -> bits a second that they deserve at 30 pictures a second; between two, in proportion
BITRATES: tuple[tuple[int, int], ...] = (
    (144, 200_000), (240, 400_000), (360, 700_000), (480, 1_200_000), (720, 2_800_000), (1080, 5_000_000),
    (1440, 9_000_000), (2160, 16_000_000),
)  # fmt: skip
FAST_FROM = 33.0  # pictures a second: beyond, more bits are wanted
FAST_FACTOR = Fraction(3, 2)
SMALL_LINES, SMALL_RATE = 480, 30.0  # small pictures are for poor lines and slow devices: no more a second than this
RATE_SLACK = 1.1  # 30.3 pictures a second are not worth halving to reach 30

# lines, at most -> steps of quality (CRF) by which pictures of so few are made finer than large ones: whoever watches
# them sees them enlarged, and each fault with them. Without it a page of text at 360 lines is four points of VMAF below
# what endless bits would make of it. They are small, so that takes few bits. Live renditions go without.
FINER: tuple[tuple[int, int], ...] = ((480, 5), (720, 4))

MIN_LINES, MAX_LINES = 64, 4320  # an encoder's smallest sensible picture; 8K
MIN_BITRATE, MAX_BITRATE = 50_000, 100_000_000
MAX_RATE = 120
MAX_RUNGS = 6  # of a list; each is an encoder
BELOW_SOURCE = Fraction(4, 5)  # of the source's bit rate: a rendition as heavy as the source serves nobody


@dataclass(frozen=True, slots=True)
class Source:
    """What is transcoded; None where it is not known yet."""

    width: int
    height: int
    sar: tuple[int, int] = (1, 1)
    frame_rate: float | None = None
    bitrate: int | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """A rendition as somebody asked for it; None: as the table has it."""

    height: int  # lines, or columns of an upright picture
    width: int | None = None  # the other side
    bitrate: int | None = None  # bits a second at most
    frame_rate: float | None = None  # pictures a second at most


@dataclass(frozen=True, slots=True)
class Rung:
    """A rendition to make."""

    name: str
    width: int
    height: int
    sar: tuple[int, int]
    bitrate: int  # at most, over a second or so
    divisor: int  # every so many-th picture of the source is taken
    frame_rate: float | None  # that follows from it
    finer: float = 0.0  # steps of the encoder's quality, below that of the largest, which it is made with

    @property
    def cost(self) -> float:
        """Pixels a second, which encoders' work grows with."""
        return self.width * self.height * (self.frame_rate or SMALL_RATE)


def rungs(source: Source, wishes: Sequence[Wish] | None = None) -> tuple[Rung, ...]:
    """The renditions of `source`, highest first; without wishes those of the table.

    A wish for more lines than the source has is left out, as is a second one for the same lines. Names depend on the
    source's size alone, so they are known before its rates are.
    """
    lines = _lines(source)
    if wishes is None:
        wishes = [Wish(height) for height in _heights(lines)]
    chosen = {wish.height: wish for wish in reversed(wishes) if wish.height <= lines}
    return tuple(_rung(source, chosen[height]) for height in sorted(chosen, reverse=True))


def least_valuable(candidates: Iterable[Rung]) -> Rung:
    """The one to give up first where not all can be made: the costliest.

    It costs more than all below it together, and those who watch it are the best off: they have the line for it, so the
    source itself or the next one below will do. The lowest goes last: those who watch it have nothing else.
    """
    return max(candidates, key=lambda rung: rung.cost)


def finer(lines: int) -> int:
    """Steps of quality for a rendition of so many lines."""
    return next((steps for most, steps in FINER if lines <= most), 0)


def limit(rung: Rung, source_bitrate: int | None) -> int:
    """Bits a second that the rendition may take while its source takes so many."""
    if source_bitrate is None:
        return rung.bitrate
    return max(MIN_BITRATE, min(rung.bitrate, int(source_bitrate * BELOW_SOURCE)))


def _lines(source: Source) -> int:
    return min(source.width, source.height)


def _heights(lines: int) -> tuple[int, ...]:
    return next((heights for least, heights in LADDERS if lines >= least * NEARLY), ())


def _rung(source: Source, wish: Wish) -> Rung:
    width, height, sar = _size(source, wish)
    most = wish.frame_rate or (SMALL_RATE if wish.height <= SMALL_LINES else None)
    divisor = _divisor(source.frame_rate, most)
    frame_rate = source.frame_rate / divisor if source.frame_rate else None
    bitrate = wish.bitrate or _bitrate(wish.height, frame_rate)
    rung = Rung(f"{wish.height}p", width, height, sar, bitrate, divisor, frame_rate, finer(wish.height))
    return replace(rung, bitrate=limit(rung, source.bitrate))


def _size(source: Source, wish: Wish) -> tuple[int, int, tuple[int, int]]:
    """Width, height and pixel shape: sides are even, as chroma has half of them; the picture is not distorted."""
    upright = source.height > source.width
    short, long = sorted((source.width, source.height))
    first = _even(wish.height)
    if wish.width is None:
        second, sar = _even(Fraction(long * wish.height, short)), source.sar
    else:
        second, sar = _even(min(wish.width, long)), None
    width, height = (first, second) if upright else (second, first)
    return width, height, sar or _sar(source, width, height)


def _sar(source: Source, width: int, height: int) -> tuple[int, int]:
    """The pixel shape that keeps the picture's; (1, 1) where it is so to within rounding."""
    ratio = Fraction(source.width * source.sar[0] * height, source.height * source.sar[1] * width)
    if abs(ratio - 1) < Fraction(1, 100):
        return (1, 1)
    ratio = ratio.limit_denominator(255)
    return (ratio.numerator, ratio.denominator)


def _divisor(rate: float | None, most: float | None) -> int:
    """Whole, so that the pictures taken are evenly spaced: 50 a second become 25, not an uneven 30."""
    if rate is None or most is None:
        return 1
    return max(1, ceil(rate / (most * RATE_SLACK)))


def _bitrate(lines: int, frame_rate: float | None) -> int:
    bitrate = _between(lines)
    return int(bitrate * FAST_FACTOR) if frame_rate and frame_rate > FAST_FROM else bitrate


def _between(lines: int) -> int:
    below_lines, below = BITRATES[0]
    for at, bitrate in BITRATES:
        if lines <= at:
            if at == below_lines:
                return bitrate
            return below + (bitrate - below) * (lines - below_lines) // (at - below_lines)
        below_lines, below = at, bitrate
    return below


def _even(side: int | Fraction) -> int:
    return max(2, round(Fraction(side) / 2) * 2)
