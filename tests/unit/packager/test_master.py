"""Multivariant playlists of what Sluice makes: pictures, sound, or both."""

from dataclasses import replace

import m3u8
import pytest

from server.packager.master import AudioFacts, VideoFacts, master
from server.packager.texts import TextFacts, stretch_name, text_playlist

VIDEO = VideoFacts("r1/video/media.m3u8", "avc1.64001f", 2_000_000, 1_500_000, (1280, 720), 30.0)
AUDIO = AudioFacts("r1/audio/media.m3u8", "mp4a.40.2", 130_000, 128_000, 2)


def test_pictures_and_sound_are_one_variant() -> None:
    assert master([VIDEO], [AUDIO], True).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:8",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
        'URI="r1/audio/media.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=2130000,AVERAGE-BANDWIDTH=1628000,CODECS="avc1.64001f,mp4a.40.2",'
        'RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="audio",CLOSED-CAPTIONS=NONE',
        "r1/video/media.m3u8",
    ]


def test_pictures_alone_have_no_audio_group() -> None:
    text = master([VIDEO], [], True)

    variant = m3u8.loads(text).playlists[0]
    assert (variant.uri, variant.stream_info.bandwidth, variant.stream_info.audio) == (VIDEO.uri, VIDEO.peak, None)
    assert "EXT-X-MEDIA" not in text


def test_sound_alone_is_the_variant_itself() -> None:
    text = master([], [AUDIO], True)

    variant = m3u8.loads(text).playlists[0]
    assert (variant.uri, variant.stream_info.codecs, variant.stream_info.resolution) == (AUDIO.uri, "mp4a.40.2", None)
    assert "EXT-X-MEDIA" not in text
    assert "CLOSED-CAPTIONS" not in text


def test_nothing_is_no_playlist() -> None:
    with pytest.raises(ValueError, match="nothing to list"):
        master([], [], True)


@pytest.mark.parametrize(
    ("video", "audio"), [(replace(VIDEO, average=None), AUDIO), (VIDEO, replace(AUDIO, average=None))]
)
def test_an_average_is_told_only_when_all_are_known(video: VideoFacts, audio: AudioFacts) -> None:
    assert "AVERAGE-BANDWIDTH" not in master([video], [audio], True)


def test_what_is_not_known_is_not_told() -> None:
    text = master([replace(VIDEO, resolution=None, frame_rate=None)], [replace(AUDIO, channels=None)], False)

    for word in ("RESOLUTION", "FRAME-RATE", "CHANNELS", "INDEPENDENT-SEGMENTS"):
        assert word not in text


def test_a_language_names_the_sound() -> None:
    media = m3u8.loads(master([VIDEO], [replace(AUDIO, language="fr")], True)).media[0]

    assert (media.language, media.name, media.default) == ("fr", "fr", "YES")


def test_stereo_that_all_play_comes_before_what_some_play() -> None:
    sounds = [
        AudioFacts("audio/media.m3u8", "ec-3", 600_000, 600_000, 6, "en"),
        AudioFacts("audio2/media.m3u8", "mp4a.40.2", 400_000, 400_000, 6, "fr"),
        AudioFacts("audio-aac/media.m3u8", "mp4a.40.2", 130_000, 128_000, 2, "en"),
        AudioFacts("audio2-aac/media.m3u8", "mp4a.40.2", 130_000, 128_000, 2, "fr"),
    ]
    listed = m3u8.loads(master([VIDEO], sounds, True))
    assert [(each.group_id, each.uri, each.channels) for each in listed.media] == [
        ("audio", "audio-aac/media.m3u8", "2"),
        ("audio", "audio2-aac/media.m3u8", "2"),
        ("audio-mp4a-surround", "audio2/media.m3u8", "6"),
        ("audio-ec-3-surround", "audio/media.m3u8", "6"),
    ]
    assert [variant.stream_info.audio for variant in listed.playlists] == [
        "audio", "audio-mp4a-surround", "audio-ec-3-surround",
    ]  # fmt: skip


def test_a_group_keeps_its_name_when_others_come() -> None:
    six = AudioFacts("audio/media.m3u8", "mp4a.40.2", 400_000, 400_000, 6)
    before = m3u8.loads(master([VIDEO], [six], True)).media
    after = m3u8.loads(master([VIDEO], [replace(AUDIO, uri="audio-aac/media.m3u8"), six], True)).media
    assert {each.uri: each.group_id for each in before}.items() <= {each.uri: each.group_id for each in after}.items()


def test_captions_go_with_every_variant() -> None:
    texts = [TextFacts("text-de/2", "de", "Deutsch", default=True), TextFacts("text-pt-BR/1", "pt-BR", "português")]
    lines = master([VIDEO], [AUDIO], True, texts, "r1/").splitlines()

    assert lines[4:6] == [
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,'
        'URI="r1/text-de/2/media.m3u8"',
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="português",LANGUAGE="pt-BR",AUTOSELECT=YES,'
        'URI="r1/text-pt-BR/1/media.m3u8"',
    ]
    assert all(',SUBTITLES="text"' in line for line in lines if line.startswith("#EXT-X-STREAM-INF"))


def test_captions_of_one_name_are_told_apart() -> None:
    texts = [TextFacts("text-sr/1", "sr", "српски"), TextFacts("text-sr-RS/1", "sr-RS", "српски")]
    text = master([VIDEO], [], True, texts)

    assert [rendition.name for rendition in m3u8.loads(text).media] == ["српски", "српски 2"]


def test_captions_are_one_segment() -> None:
    assert text_playlist(61.25) == (
        "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:62\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXTINF:61.25000,\nall.vtt\n#EXT-X-ENDLIST\n"
    )
    assert stretch_name(0.0) == "0.vtt"
    assert stretch_name(12.3456) == "12346.vtt"
