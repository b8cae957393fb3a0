"""Parameter sets of several streams in one record, by sets that libx264 made."""

import pytest

from server.formats import avc
from server.formats.avc_sets import merged, set_ids
from server.media.encoders import Encoder, Settings
from server.media.ladder import Rung


def record(sets: int = 0, width: int = 320) -> bytes:
    rung = Rung("180p", width, 180, (1, 1), 400_000, 1, 30.0)
    return Encoder("libx264", rung, rung.bitrate, Settings(sets=sets)).record


@pytest.mark.parametrize("sets", [0, 1, 7, 31])
def test_ids_are_those_that_the_encoder_was_told(sets: int) -> None:
    assert set_ids(record(sets)) == {sets}


def test_all_sets_are_there_once_under_the_highest_level() -> None:
    first, other, third = record(0), record(3), record(5, width=1920)
    both = avc.AvcDecoderConfiguration.parse(merged([first, other, first, third]))
    assert both.sps[0] == avc.AvcDecoderConfiguration.parse(first).sps[0]
    assert (len(both.sps), len(both.pps), both.length_size) == (3, 3, 4)
    assert both.level == avc.AvcDecoderConfiguration.parse(third).level
    assert set_ids(merged([first, other])) == {0, 3}
    assert merged([first]) == first


def test_different_sets_of_one_id_are_refused() -> None:
    with pytest.raises(avc.AvcError, match="different SPS of one id"):
        merged([record(0), record(0, width=640)])
    with pytest.raises(avc.AvcError, match="not 4 bytes"):
        merged([record()[:4] + b"\xfd" + record()[5:]])
    with pytest.raises(avc.AvcError):
        set_ids(b"\1\2\3")
