"""Settings as H.264 has them, for other codecs."""

import pytest

from server.media.codings import CODINGS, PRESETS


def test_h264_takes_them_as_they_are() -> None:
    coding = CODINGS["h264"]
    assert [coding.preset(name) for name in PRESETS] == list(PRESETS)
    assert (coding.quality(23.0), coding.ceiling(5_000_000)) == (23.0, 5_000_000)


@pytest.mark.parametrize(("codec", "preset", "quality", "ceiling"), [
    ("hevc", "veryfast", 26.0, 3_500_000), ("av1", "10", 34.5, 3_000_000),
])  # fmt: skip
def test_other_scales(codec: str, preset: str, quality: float, ceiling: int) -> None:
    coding = CODINGS[codec]
    assert (coding.preset("veryfast"), coding.quality(23.0), coding.ceiling(5_000_000)) == (preset, quality, ceiling)
    assert coding.quality(23.0) - coding.quality(18.0) == coding.steps(5)
    assert len(coding.presets) == len(PRESETS)
