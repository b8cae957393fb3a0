import pytest

from server.media import file_types


@pytest.mark.parametrize(
    ("taken", "filename", "content_type", "wanted"),
    [
        (["mp4"], "a.MP4", None, True),
        (["mp4"], "a.mov", "video/quicktime", False),
        (["mp4"], None, "video/mp4", True),
        (["mp4"], None, "application/octet-stream", False),
        (["mp4"], None, None, False),
        (["video/mp4"], "a.mp4", None, True),
        (["video/mp4"], "a.mp4", "video/mp4; codecs=avc1", True),
        (["video/mp4"], "a.mp4", "text/plain", False),
        (["video/*"], None, "video/x-strange", True),
        (["video/*"], "a.mp3", None, False),
        (["mov", "audio/*"], "a.mp3", None, True),
        (["mxf"], "a.mxf", None, True),
    ],
)
def test_what_a_sender_says(taken: list[str], filename: str | None, content_type: str | None, wanted: bool) -> None:
    assert file_types.said(taken, filename, content_type) is wanted


@pytest.mark.parametrize(
    ("taken", "container", "pictures", "wanted"),
    [
        (["mp4"], "MP4", True, True),
        (["mp4"], "Matroska", True, False),
        (["mp4"], "MP4", False, True),
        (["video/mp4"], "MP4", False, False),
        (["audio/mp4"], "MP4", False, True),
        (["video/*"], "FLV", True, True),
        (["video/*"], "MP3", False, False),
        (["mpg"], "MPEG-TS", True, True),
        (["mxf"], "MP4", True, True),
        (["webm", "flac"], "FLAC", False, True),
    ],
)
def test_what_is_found(taken: list[str], container: str, pictures: bool, wanted: bool) -> None:
    assert file_types.found(taken, container, pictures) is wanted


def test_spellings() -> None:
    assert [file_types.normal(text) for text in (".MP4", "mov", "Video/MP4")] == ["mp4", "mov", "video/mp4"]
