"""The reader against hand-made chunks, and against whole sessions cut and broken in every way."""

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.protocols.rtmp.chunk import ChunkReader, ChunkWriter, basic_header
from server.protocols.rtmp.errors import ChunkError, LimitError, RtmpError
from server.protocols.rtmp.limits import Limits
from server.protocols.rtmp.message import ABORT, AUDIO, COMMAND, DATA, SET_CHUNK_SIZE, VIDEO, Message
from tests.unit.protocols.rtmp.client import split
from tests.unit.protocols.rtmp.sessions import SESSIONS

BODY = Random(1).randbytes(1000)
WIDTHS = [3, 63, 64, 319, 320, 5000, 65599]  # the first and last ids of each width


def _read(data: bytes, step: int = 1 << 20) -> list[Message]:
    reader = ChunkReader()
    return [
        message for at in range(0, len(data), step) for message in reader.receive(data[at : at + step])
    ]


def _times(chunks: Iterable[bytes]) -> list[int]:
    return [message.timestamp for message in _read(b"".join(chunks))]


def _one(kind: int, time: int, payload: bytes = b"x", chunk_stream: int = 6) -> bytes:
    """A message of one chunk."""
    return b"".join(split(chunk_stream, kind, time, (VIDEO, 1, payload), 128))


@pytest.mark.parametrize(
    ("chunk_stream", "header"),
    [
        (2, b"\xc2"), (63, b"\xff"), (64, b"\xc0\x00"), (319, b"\xc0\xff"),
        (320, b"\xc1\x00\x01"), (65599, b"\xc1\xff\xff"),
    ],
)  # fmt: skip
def test_basic_headers_of_three_widths(chunk_stream: int, header: bytes) -> None:
    assert basic_header(3, chunk_stream) == header


@pytest.mark.parametrize("step", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("start", [0, 0xFFFFFE, 0xFFFFFF, 0x1000000, 1 << 31, (1 << 32) - 70])
@pytest.mark.parametrize("chunk_stream", WIDTHS)
def test_messages_of_all_sizes_on_all_ids(chunk_stream: int, start: int, repeat: bool, step: int) -> None:
    bodies = [BODY[:size] for size in (1, 5, 127, 128, 129, 256, 300, 1000)]
    chunks = [
        chunk
        for index, body in enumerate(bodies)
        for chunk in split(
            chunk_stream, 1 if index else 0, 33 if index else start, (VIDEO, 1, body), 128, repeat
        )
    ]

    messages = _read(b"".join(chunks), step)

    assert [message.payload for message in messages] == bodies
    assert [message.timestamp for message in messages] == [(start + 33 * i) % (1 << 32) for i in range(8)]
    assert {(message.type, message.stream_id) for message in messages} == {(VIDEO, 1)}


def test_header_types_leave_out_what_stays_the_same() -> None:
    data = _one(0, 100, b"a") + _one(1, 10, b"bc") + _one(2, 20, b"de") + _one(3, 0, b"fg") + _one(3, 0, b"hi")

    assert _read(data) == [
        Message(VIDEO, 1, 100, b"a"),
        Message(VIDEO, 1, 110, b"bc"),
        Message(VIDEO, 1, 130, b"de"),
        Message(VIDEO, 1, 150, b"fg"),
        Message(VIDEO, 1, 170, b"hi"),
    ]


def test_type_3_after_type_0_repeats_its_time_as_delta() -> None:
    """ffmpeg: first audio frame at 23 ms, the next 23 ms later, of the same size."""
    assert _times([_one(0, 23), _one(3, 0), _one(3, 0), _one(2, 24)]) == [23, 46, 69, 93]


def test_type_3_after_type_0_far_from_zero_means_the_same_time() -> None:
    """nginx-rtmp and librtmp: a second message of the same time, type and size."""
    assert _times([_one(0, 5_000_000), _one(3, 0), _one(1, 40)]) == [5_000_000, 5_000_000, 5_000_040]


def test_extended_deltas() -> None:
    delta = 0x2000000
    chunks = [_one(0, 5), _one(1, delta), _one(2, delta), split(6, 3, delta, (0, 0, b"x"), 9)[0]]

    assert _times(chunks) == [5, 5 + delta, 5 + 2 * delta, 5 + 3 * delta]


def test_the_first_24_bit_value_that_is_extended() -> None:
    assert _times([_one(0, 0xFFFFFE), _one(1, 1), _one(1, 0xFFFFFF)]) == [0xFFFFFE, 0xFFFFFF, 0x1FFFFFE]


def test_type_0_may_go_back_in_time() -> None:
    assert _times([_one(0, 900), _one(0, 100), _one(1, 5)]) == [900, 100, 105]


@pytest.mark.parametrize("kind", [2, 3])
def test_a_chunk_stream_cannot_start_without_a_length(kind: int) -> None:
    with pytest.raises(ChunkError, match=f"^chunk stream 70 starts with a header of type {kind}$"):
        _read(_one(kind, 0, chunk_stream=70))


def test_a_chunk_stream_may_start_with_type_1() -> None:
    """librtmp does."""
    assert _read(_one(1, 40)) == [Message(VIDEO, 0, 40, b"x")]


@pytest.mark.parametrize("step", [1, 50, 1 << 20])
def test_interleaved_messages(step: int) -> None:
    sound, picture = split(4, 0, 10, (AUDIO, 1, BODY[:500]), 128), split(6, 0, 20, (VIDEO, 1, BODY[:700]), 128)
    mixed = [chunk for pair in zip(sound, picture, strict=False) for chunk in pair] + picture[len(sound) :]

    assert _read(b"".join(mixed), step) == [Message(AUDIO, 1, 10, BODY[:500]), Message(VIDEO, 1, 20, BODY[:700])]


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_a_chunk_size_that_changes_inside_a_message(step: int) -> None:
    first = split(6, 0, 0, (VIDEO, 1, BODY), 128)[0]
    change = split(2, 0, 0, (SET_CHUNK_SIZE, 0, (500).to_bytes(4, "big")), 128)[0]
    rest = [basic_header(3, 6) + BODY[at : at + 500] for at in (128, 628)]

    messages = _read(first + change + b"".join(rest), step)

    assert [message.type for message in messages] == [SET_CHUNK_SIZE, VIDEO]
    assert messages[1].payload == BODY


@pytest.mark.parametrize("size", [1, 2, 127, 0x7FFFFFFF])
def test_any_chunk_size_is_taken(size: int) -> None:
    change = split(2, 0, 0, (SET_CHUNK_SIZE, 0, size.to_bytes(4, "big")), 128)[0]

    assert _read(change + b"".join(split(6, 0, 0, (VIDEO, 1, BODY), size)))[1].payload == BODY


@pytest.mark.parametrize("size", [0, 0x80000000, 0xFFFFFFFF])
def test_no_chunk_size(size: int) -> None:
    with pytest.raises(ChunkError, match=f"^a chunk size of {size}$"):
        _read(split(2, 0, 0, (SET_CHUNK_SIZE, 0, size.to_bytes(4, "big")), 128)[0])


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_an_aborted_message_leaves_nothing(step: int) -> None:
    abort = split(2, 0, 0, (ABORT, 0, (6).to_bytes(4, "big")), 128)[0]
    unknown = split(2, 0, 0, (ABORT, 0, (999).to_bytes(4, "big")), 128)[0]
    begun = split(6, 0, 0, (VIDEO, 1, BODY), 128)

    messages = _read(begun[0] + begun[1] + abort + unknown + _one(1, 40, b"next"), step)

    assert messages[-1] == Message(VIDEO, 1, 40, b"next")


def test_a_header_in_the_middle_of_a_message_begins_another() -> None:
    begun = split(6, 0, 0, (VIDEO, 1, BODY), 128)

    assert _read(begun[0] + _one(0, 40, b"next")) == [Message(VIDEO, 1, 40, b"next")]


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_messages_without_a_body(step: int) -> None:
    assert _read(_one(0, 7, b"") + _one(3, 0, b"") + _one(1, 0, b"x"), step) == [
        Message(VIDEO, 1, 7, b""),
        Message(VIDEO, 1, 14, b""),
        Message(VIDEO, 1, 14, b"x"),
    ]


def test_a_body_like_an_extended_timestamp_is_taken_for_one_that_is_repeated() -> None:
    """The one guess in the protocol: wrong only for peers that do not repeat, one time in 2^32."""
    time = 0x01020304
    body = bytes(128) + time.to_bytes(4, "big") + b"rest"
    repeated, not_repeated = (
        b"".join(split(6, 0, time, (VIDEO, 1, body), 128, repeat)) for repeat in (True, False)
    )

    assert _read(repeated)[0].payload == body
    assert _read(not_repeated) == []


@settings(deadline=None)  # a session in single bytes takes as long as the machine is busy
@given(st.data())
def test_a_session_in_any_pieces_is_the_same_session(data: st.DataObject) -> None:
    session = SESSIONS[data.draw(st.sampled_from(sorted(SESSIONS)))].chunks
    step = data.draw(st.integers(1, 5000))

    assert _read(session, step) == _read(session)


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_in_single_bytes_is_the_same_session(name: str) -> None:
    assert _read(SESSIONS[name].chunks, 1) == _read(SESSIONS[name].chunks)


class Stepwise(ChunkReader):
    """Reads no message in one go."""

    def _take_whole(self, data: bytes, view: memoryview, at: int) -> None:
        return None


def _read_all_it_can(data: bytes, cuts: list[int], reader: ChunkReader | None = None) -> tuple[list[Message], str]:
    """Messages up to the error, and the error's text."""
    reader, messages = reader or ChunkReader(), list[Message]()
    try:
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            messages.extend(reader.receive(data[start:end]))
            assert len(reader._header) < 18
            held = sum(len(stream.buffer) for stream in reader._streams.values())
            assert held == reader._partial <= len(data)
    except RtmpError as error:
        return messages, str(error)
    return messages, ""


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(SESSIONS)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    cuts=st.lists(st.floats(0, 1), max_size=5),
)
def test_broken_sessions_end_alike_in_any_pieces(
    name: str, changes: list[tuple[float, int]], cuts: list[float]
) -> None:
    mutated = bytearray(SESSIONS[name].chunks)
    last = len(mutated) - 1
    for place, byte in changes:
        mutated[int(place * last)] = byte
    data = bytes(mutated)

    whole = _read_all_it_can(data, [])
    pieces = _read_all_it_can(data, sorted(int(cut * last) for cut in cuts))
    steps = _read_all_it_can(data, [], Stepwise())

    assert whole == pieces == steps


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([4, 6, 63, 64]),
            st.integers(0, 3),
            st.sampled_from([0, 33, 1000, 1001, 0xFFFFFE, 0xFFFFFF, 1 << 25]),
            st.sampled_from([AUDIO, VIDEO, DATA, COMMAND, SET_CHUNK_SIZE]),
            st.integers(0, 700),
        ),
        max_size=12,
    ),
    st.sampled_from([1, 100, 128, 4096]),
)
def test_messages_taken_whole_are_those_taken_in_steps(
    rows: list[tuple[int, int, int, int, int]], size: int
) -> None:
    data = b"".join(split(2, 0, 0, (SET_CHUNK_SIZE, 0, size.to_bytes(4, "big")), 128))
    for chunk_stream, kind, time, type_, length in rows:
        payload = size.to_bytes(4, "big") if type_ == SET_CHUNK_SIZE else BODY[:length]
        data += b"".join(split(chunk_stream, kind, time, (type_, 1, payload), size))

    assert _read_all_it_can(data, []) == _read_all_it_can(data, [], Stepwise())
    for end in range(1, len(data), max(1, len(data) // 7)):
        assert _read_all_it_can(data[:end], []) == _read_all_it_can(data[:end], [], Stepwise())


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(WIDTHS),
            st.sampled_from([AUDIO, VIDEO, DATA, COMMAND]),
            st.integers(0, (1 << 32) - 1),
            st.binary(max_size=400),
        ),
        max_size=8,
    ),
    st.integers(1, 500),
)
def test_what_the_writer_writes_the_reader_reads(
    messages: list[tuple[int, int, int, bytes]], size: int
) -> None:
    writer, expected, data = ChunkWriter(), [], b""
    data += writer.write(2, Message(SET_CHUNK_SIZE, 0, 0, size.to_bytes(4, "big")))
    writer.chunk_size = size
    for chunk_stream, kind, time, payload in messages:
        expected.append(Message(kind, 1, time, payload))
        data += writer.write(chunk_stream, expected[-1])

    assert _read(data)[1:] == expected


def test_the_writer_repeats_extended_timestamps() -> None:
    data = ChunkWriter().write(3, Message(VIDEO, 1, 0x01020304, bytes(129)))

    assert data == (
        b"\x03\xff\xff\xff\x00\x00\x81\x09\x01\x00\x00\x00\x01\x02\x03\x04" + bytes(128) + b"\xc3\x01\x02\x03\x04\x00"
    )


def test_media_over_the_limit_is_skipped_and_counted() -> None:
    reader = ChunkReader()
    reader.limit_media(200)
    data = b"".join(split(6, 0, 0, (VIDEO, 1, BODY), 128)) + _one(1, 40, b"next")

    messages = [message for at in range(len(data)) for message in reader.receive(data[at : at + 1])]

    assert messages == [Message(VIDEO, 1, 40, b"next")]
    assert reader.skipped == 1


def test_a_skipped_message_stays_skipped_when_the_limit_rises() -> None:
    reader = ChunkReader()
    reader.limit_media(0)
    chunks = split(6, 0, 0, (VIDEO, 1, BODY), 128)
    assert list(reader.receive(chunks[0])) == []

    reader.limit_media(1 << 20)

    assert list(reader.receive(b"".join(chunks[1:]) + _one(1, 40, b"next"))) == [Message(VIDEO, 1, 40, b"next")]


def test_unfinished_messages_together_are_limited() -> None:
    reader = ChunkReader(Limits(partial=1000))
    for chunk_stream in range(3, 10):
        assert list(reader.receive(split(chunk_stream, 0, 0, (VIDEO, 1, BODY), 128)[0])) == []

    with pytest.raises(LimitError, match=r"^more than 1000 bytes of unfinished messages$"):
        list(reader.receive(split(10, 0, 0, (VIDEO, 1, BODY), 128)[0]))


def test_finished_messages_do_not_count_as_unfinished() -> None:
    reader = ChunkReader(Limits(partial=1000))
    data = b"".join(split(6, 0, 0, (VIDEO, 1, BODY), 128))

    for at in range(0, len(data) * 20, 100):
        list(reader.receive((data * 20)[at : at + 100]))

    assert reader._partial <= 1000
