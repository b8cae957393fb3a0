import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.mpegts import WRAP, pes
from server.formats.mpegts.pes import Header, PesError

STAMPS = st.integers(0, WRAP - 1)


@given(STAMPS, STAMPS, st.integers(0, 60_000))
def test_a_header_that_is_written_reads_back(pts: int, dts: int, size: int) -> None:
    written = pes.write(pes.AUDIO_ID, pts, dts, size)

    assert pes.read(written) == Header(pts, dts, len(written), len(written) + size)


@pytest.mark.parametrize(("stream_id", "size"), [(pes.VIDEO_ID, 10), (pes.PRIVATE_ID, 70_000)])
def test_the_length_is_left_open(stream_id: int, size: int) -> None:
    assert pes.read(pes.write(stream_id, 1, 1, size)).size == 0


def test_a_header_without_times_goes_on_with_what_was_before() -> None:
    assert pes.read(b"\0\0\x01\xe0\0\0\x80\0\0data") == Header(None, None, 9, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\x02\xe0\0\0\x80\0\0",
        b"\0\0\x01\xbe\0\0\x80\0\0",  # padding
        b"\0\0\x01\xe0\0\0\x00\0\0",  # MPEG-1
        b"\0\0\x01\xe0\0\0\x80\x80\0",  # a time without room for it
        b"\0\0\x01\xe0\0\0\x80\xc0\x0a123456789",
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(PesError):
        pes.read(data)
