import pytest

from server.formats import annexb, avc
from server.formats.annexb import AnnexBError
from server.formats.avc import AvcError
from server.formats.hevc import HevcError
from server.media.mpegts_pictures import MAX_UNITS, AvcPictures, HevcPictures
from tests.unit.formats import encoded

SOURCE = encoded.h264(20, x264="keyint=10:bframes=0")
OTHER = encoded.h264(2, width=256, height=192, x264="keyint=10:bframes=0")
RECORD = avc.AvcDecoderConfiguration.parse(SOURCE.header)
OTHER_RECORD = avc.AvcDecoderConfiguration.parse(OTHER.header)
SETS = [*RECORD.sps, *RECORD.pps]
DELIMITER, FILLER = b"\x09\xf0", b"\x0c\xff\x80"


def units(number: int, source: encoded.Encoded = SOURCE) -> list[bytes]:
    return [bytes(unit) for unit in avc.nal_units(source.samples[number].data)]


def test_parameter_sets_become_the_configuration_and_leave_the_pictures() -> None:
    reader = AvcPictures()

    picture = reader.read(annexb.byte_stream([DELIMITER, *SETS, *units(0), FILLER]))

    assert picture.config == avc.video_config(SOURCE.header)
    assert picture.key
    assert picture.data == SOURCE.samples[0].data
    assert not reader.read(annexb.byte_stream(units(1))).key


def test_the_same_sets_again_are_no_news() -> None:
    reader = AvcPictures()
    first = reader.read(annexb.byte_stream([*SETS, *units(0)])).config

    assert reader.read(annexb.byte_stream([*SETS, *units(10)])).config is first
    assert reader.read(annexb.byte_stream([*RECORD.pps, *units(11)])).config is first


def test_another_picture_size_is_another_configuration() -> None:
    reader = AvcPictures()
    reader.read(annexb.byte_stream([*SETS, *units(0)]))

    found = reader.read(annexb.byte_stream([*OTHER_RECORD.sps, *OTHER_RECORD.pps, *units(0, OTHER)])).config

    assert found is not None
    assert (found.width, found.height) == (256, 192)


def test_sets_come_apart() -> None:
    reader = AvcPictures()

    assert reader.read(annexb.byte_stream([*RECORD.sps])).config is None
    assert reader.read(annexb.byte_stream([*RECORD.pps])).config == avc.video_config(SOURCE.header)
    assert reader.read(annexb.byte_stream([*RECORD.pps])).data == b""


def test_open_gops_begin_at_recovery_points() -> None:
    recovery = b"\x06\x06\x01\x80\x80"
    slices = units(1)

    assert AvcPictures().read(annexb.byte_stream([*SETS, recovery, *slices])).key
    assert not AvcPictures().read(annexb.byte_stream([recovery, *slices])).key


@pytest.mark.parametrize(
    "sets",
    [
        [b"\x67\x42"],
        [b"\x67\x42\xc0\x1e\xff", b"\x68\xce\x3c\x80"],
        [b"\x68" + bytes(20)],
    ],
)
def test_broken_sets_raise_their_own_error(sets: list[bytes]) -> None:
    with pytest.raises(AvcError):
        AvcPictures().read(annexb.byte_stream(sets))


def test_a_picture_of_too_many_units_is_refused() -> None:
    with pytest.raises(AnnexBError):
        AvcPictures().read(annexb.byte_stream([b"\x41\x80"] * (MAX_UNITS + 1)))


def test_broken_sets_of_hevc_raise_their_own_error() -> None:
    with pytest.raises(HevcError):
        HevcPictures().read(annexb.byte_stream([b"\x40\x01\x80", b"\x42\x01\x80", b"\x44\x01\x80"]))
