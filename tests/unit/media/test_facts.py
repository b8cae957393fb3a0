"""Facts cross from the child to the server, and to the API."""

import json

from server.media.facts import Chapter, PictureFacts, SoundFacts, SourceFacts, SubtitleFacts

PICTURE = PictureFacts(
    1, "h264", 720, 576, rfc6381="avc1.64001e", sar=(16, 11), rotation=90, frame_rate=25.0, interlaced=True,
    field_order="top", unpassable="its pictures are interlaced",
)  # fmt: skip
FACTS = SourceFacts(
    "Matroska",
    12.5,
    400_000,
    start_s=0.084,
    picture=PICTURE,
    sounds=(SoundFacts(0, "aac", 2, 48000, language="de", default=True), SoundFacts(2, "ac3", 6, 48000, title="5.1")),
    subtitles=(SubtitleFacts(3, "subrip", "text", language="en", forced=True),),
    chapters=(Chapter(0.0, 5.0, "One"), Chapter(5.0, 12.5)),
    cover=4,
    left_out=("MPEG-H audio: there is no decoder for it here",),
)


def test_facts_come_back_from_json() -> None:
    assert SourceFacts.of_event(json.loads(json.dumps(FACTS.to_event()))) == FACTS
    sound = SourceFacts("WAV", 1.0, sounds=FACTS.sounds)
    assert SourceFacts.of_event(json.loads(json.dumps(sound.to_event()))) == sound


def test_the_api_shows_every_stream() -> None:
    media = FACTS.media()
    assert [media[name] for name in ("container", "duration", "bit_rate")] == ["Matroska", 12.5, 400_000]
    assert [stream["kind"] for stream in media["streams"]] == ["video", "audio", "audio", "subtitle"]
    assert [stream["language"] for stream in media["streams"]] == ["und", "de", "und", "en"]
    assert media["streams"][0]["rotation"] == 90
    assert "unpassable" not in media["streams"][0]
    assert media["chapters"][0] == {"start_s": 0.0, "end_s": 5.0, "title": "One"}
    json.dumps(media)


def test_what_is_shown_is_upright_and_of_square_pixels() -> None:
    assert PICTURE.shown_size == (576, 1047)


def test_the_picture_decides_whether_a_file_can_be_passed_through() -> None:
    assert not FACTS.passable
    assert SourceFacts("FLAC", 1.0, sounds=(SoundFacts(0, "flac", 2, 48000),)).passable
    assert not SourceFacts("FLAC", 1.0).passable
