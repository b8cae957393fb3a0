"""The codecs that ladders are made in, and what each makes of settings that are given as H.264 has them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

SOFTWARE = "libx264"
HARDWARE = ("h264_nvenc", "h264_qsv", "h264_vaapi", "h264_videotoolbox")

# Of libx264 and libx265, from the quickest on
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower")


@dataclass(frozen=True, slots=True)
class Coding:
    """A codec's encoder, and how its scales lie beside those of libx264."""

    encoder: str
    bits: Fraction  # that a picture as good takes, of H.264's
    finer: Fraction = Fraction(1)  # steps of its quality to one of libx264's
    shift: int = 0
    presets: Sequence[str] = PRESETS

    def preset(self, name: str) -> str:
        return self.presets[PRESETS.index(name)]

    def steps(self, crf: float) -> float:
        """As many, of its own quality."""
        return float(crf * self.finer)

    def quality(self, crf: float) -> float:
        return self.steps(crf) + self.shift

    def ceiling(self, bitrate: int) -> int:
        """Of a rendition whose ceiling as H.264 is `bitrate`."""
        return round(bitrate * self.bits)


CODINGS: Mapping[str, Coding] = {
    "h264": Coding(SOFTWARE, Fraction(1)),
    "hevc": Coding("libx265", Fraction(7, 10), shift=3),
    # 0 to 63 in place of 0 to 51; its presets are numbers, and 10 takes about the time of veryfast twice
    "av1": Coding("libsvtav1", Fraction(3, 5), Fraction(3, 2), presets=("12", "11", "10", "9", "8", "6", "5", "4")),
}
