import pytest

from server.formats.amf0 import UNDEFINED, EcmaArray, Value, decode, encode
from server.protocols.rtmp import command as commands
from server.protocols.rtmp.command import Command, StreamName, read_command, read_metadata, stream_name
from server.protocols.rtmp.errors import CommandError
from server.protocols.rtmp.message import COMMAND, COMMAND_AMF3, DATA, DATA_AMF3, Message


def _command(*values: Value, kind: int = COMMAND, stream_id: int = 0) -> Command:
    prefix = b"\0" if kind == COMMAND_AMF3 else b""
    return read_command(Message(kind, stream_id, 0, prefix + encode(*values)))


@pytest.mark.parametrize("kind", [COMMAND, COMMAND_AMF3])
def test_connect_has_an_object(kind: int) -> None:
    command = _command("connect", 1, {"app": "live", "audioCodecs": 3191.0}, kind=kind)

    assert command == Command("connect", 1.0, {"app": "live", "audioCodecs": 3191.0}, [], 0)
    assert command.property("app") == "live"
    assert command.property("audioCodecs") == ""
    assert command.property("tcUrl") == ""


def test_publish_has_arguments() -> None:
    command = _command("publish", 5, None, "KEY", "live", 7.0, stream_id=1)

    assert command == Command("publish", 5.0, {}, ["KEY", "live", 7.0], 1)
    assert [command.text(index) for index in range(4)] == ["KEY", "live", "", ""]


def test_a_command_may_end_after_its_transaction() -> None:
    assert _command("_checkbw", 0) == Command("_checkbw", 0.0, {}, [], 0)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "a command without a name and a transaction number"),
        (encode("connect"), "a command without a name and a transaction number"),
        (encode(1, "connect"), "a command without a name and a transaction number"),
        (encode("connect", "1"), "a command without a name and a transaction number"),
        (b"\x02\0\x07conn", "a command that does not parse: AMF0 value ends early"),
        (b"\x11\x0a", "a command that does not parse: AMF0 type 17 is not supported"),
    ],
)
def test_what_is_no_command(payload: bytes, message: str) -> None:
    with pytest.raises(CommandError) as caught:
        read_command(Message(COMMAND, 0, 0, payload))

    assert str(caught.value) == message


METADATA: list[tuple[str, int, bytes, object]] = [
    ("ffmpeg", DATA, encode("@setDataFrame", "onMetaData", EcmaArray(width=1280.0)), {"width": 1280.0}),
    ("without @setDataFrame", DATA, encode("onMetaData", {"width": 1.0}, 5), {"width": 1.0}),
    ("type 15", DATA_AMF3, b"\0" + encode("@setDataFrame", "onMetaData", {}), {}),
    ("garbage behind it", DATA, encode("@setDataFrame", "onMetaData", {}) + b"\xff", {}),
    ("another name", DATA, encode("onTextData", {"text": "x"}), None),
    ("@clearDataFrame", DATA, encode("@clearDataFrame", "onMetaData"), None),
    ("no object", DATA, encode("onMetaData", 1), None),
    ("AMF3 inside", DATA_AMF3, b"\0\x02\0\x0aonMetaData\x11\x0a", None),
    ("broken", DATA, b"\x02\xff", None),
    ("empty", DATA_AMF3, b"", None),
]


@pytest.mark.parametrize(("kind", "payload", "value"), [case[1:] for case in METADATA], ids=[c[0] for c in METADATA])
def test_metadata_or_none_but_never_an_error(kind: int, payload: bytes, value: object) -> None:
    assert read_metadata(Message(kind, 1, 0, payload)) == value


@pytest.mark.parametrize(
    ("app", "name", "expected"),
    [
        ("live", "KEY", StreamName("live", "KEY", "")),
        ("live", "KEY?token=x&y=?", StreamName("live", "KEY", "token=x&y=?")),
        ("live?token=x", "KEY", StreamName("live", "KEY", "token=x")),
        ("live?a=1", "KEY?b=2", StreamName("live", "KEY", "b=2")),
        ("/live/", "/KEY/", StreamName("live", "KEY", "")),
        ("live/sub", "KEY", StreamName("live/sub", "KEY", "")),
        ("live/KEY", "", StreamName("live", "KEY", "")),
        ("live/KEY?token=x", "", StreamName("live", "KEY", "token=x")),
        ("", "live/KEY", StreamName("live", "KEY", "")),
        ("", "KEY", StreamName("", "KEY", "")),
        ("live", "", StreamName("live", "", "")),
        ("live", "?token=x", StreamName("live", "", "token=x")),
        ("", "", StreamName("", "", "")),
        ("/", "//", StreamName("", "", "")),
    ],
)
def test_app_and_key_wherever_they_are(app: str, name: str, expected: StreamName) -> None:
    assert stream_name(app, name) == expected


def test_a_plain_connect_gets_no_enhanced_answer() -> None:
    answer = decode(commands.connected(_command("connect", 1, {"app": "live"})))

    assert answer[:2] == ["_result", 1.0]
    assert answer[3] == {
        "level": "status",
        "code": "NetConnection.Connect.Success",
        "description": "Connection succeeded.",
        "objectEncoding": 0.0,
    }


@pytest.mark.parametrize("key", ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"])
def test_an_enhanced_connect_is_told_what_we_take(key: str) -> None:
    info = decode(commands.connected(_command("connect", 1, {"app": "live", key: None})))[3]

    assert isinstance(info, dict)
    assert info["fourCcList"] == ["avc1", "hvc1", "av01", "vp09", "mp4a", "Opus", "fLaC", "ac-3", "ec-3"]
    assert info["videoFourCcInfoMap"] == {"avc1": 4.0, "hvc1": 4.0, "av01": 4.0, "vp09": 4.0}
    assert info["audioFourCcInfoMap"] == {"mp4a": 4.0, "Opus": 4.0, "fLaC": 4.0, "ac-3": 4.0, "ec-3": 4.0}
    assert info["capsEx"] == 6.0  # multitrack, ModEx


def test_answers() -> None:
    call = _command("createStream", 4, None)
    info = {"level": "error", "code": "Some.Code", "description": "why"}

    assert decode(commands.result(call)) == ["_result", 4.0, None, UNDEFINED]
    assert decode(commands.result(call, 1)) == ["_result", 4.0, None, 1.0]
    assert decode(commands.error(call, "Some.Code", "why")) == ["_error", 4.0, None, info]
    assert decode(commands.status("error", "Some.Code", "why")) == ["onStatus", 0.0, None, info]
    assert decode(commands.fc_published("KEY")) == [
        "onFCPublish",
        0.0,
        None,
        {"level": "status", "code": "NetStream.Publish.Start", "description": "KEY"},
    ]
    assert commands.command_message(b"x", 1) == Message(COMMAND, 1, 0, b"x")
