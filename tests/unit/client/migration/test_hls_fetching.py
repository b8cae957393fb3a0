"""HLS streams brought into a file."""

import errno
import io
from collections.abc import Mapping
from struct import pack

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from server.client.api import Answer, Unreachable
from server.client.migration import hls_fetching
from server.client.migration.hls_fetching import HlsFilms
from server.client.migration.hls_playlists import Unusable
from server.client.refusals import Refused
from server.formats.fmp4.box import box, full_box, walk

URL = "https://cdn.example/v/master.m3u8"
HEAD, END = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n", "#EXT-X-ENDLIST\n"
MASTER = '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",LANGUAGE="fr",URI="a.m3u8"\n{}#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nv.m3u8\n'  # noqa: E501
MUXED = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="y"\n'
SECRET, IV = bytes(range(16)), bytes(15) + b"\x07"


class Host:
    """Gives what it has, and remembers what it was asked for."""

    def __init__(self, **files: str | bytes | Exception | Answer) -> None:
        self.files = {name.replace("_", "."): found for name, found in files.items()}
        self.asked: list[tuple[str, str]] = []

    def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        name = url.rpartition("/")[2]
        self.asked.append((name, headers.get("Range", "")))
        found = self.files.get(name)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Answer):
            return found
        if found is None:
            raise Refused(404, None)
        data = found if isinstance(found, bytes) else found.encode()
        if "Range" in headers:
            first, last = map(int, headers["Range"].removeprefix("bytes=").split("-"))
            return Answer(206, {}, data[first : last + 1])
        return Answer(200, {}, data)


def brought(host: Host) -> bytes:
    films, file = HlsFilms(host.fetch), io.BytesIO()
    films.bring(films.look(URL), file)
    return file.getvalue()


def playlist(*lines: str) -> str:
    return HEAD + "".join(f"#EXTINF:4,\n{line}\n" for line in lines) + END


def locked(data: bytes) -> bytes:
    padding = 16 - len(data) % 16
    cipher = Cipher(AES(SECRET), CBC(IV)).encryptor()
    return cipher.update(data + bytes([padding]) * padding) + cipher.finalize()


def init(kind: bytes) -> bytes:
    mvhd = full_box(b"mvhd", 0, 0, bytes(8), pack(">I", 1000), bytes(84))
    trak = box(b"trak", full_box(b"tkhd", 0, 7, bytes(8), pack(">I", 1), bytes(68)), box(b"mdia", box(b"free", kind)))
    mvex = box(b"mvex", full_box(b"trex", 0, 0, pack(">I", 1), bytes(16)))
    return box(b"ftyp", b"iso6") + box(b"moov", mvhd, trak, mvex)


def fragment(media: bytes) -> bytes:
    tfhd = full_box(b"tfhd", 0, 0x020000, pack(">I", 1))
    return box(b"moof", full_box(b"mfhd", 0, 0, pack(">I", 1)), box(b"traf", tfhd)) + box(b"mdat", media)


def fragmented(name: str) -> str:
    return HEAD + f'#EXT-X-MAP:URI="{name}i"\n' + "".join(f"#EXTINF:4,\n{name}{n}\n" for n in (1, 2)) + END


def test_segments_of_a_transport_stream_one_after_the_other() -> None:
    master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"
    host = Host(master_m3u8=master, v_m3u8=playlist("a", "b"), a=b"Ga", b=b"Gb")
    assert brought(host) == b"GaGb"
    assert [name for name, _ in host.asked] == ["master.m3u8", "v.m3u8", "a", "b"]


def test_parts_of_one_file() -> None:
    text = HEAD + "#EXTINF:4,\n#EXT-X-BYTERANGE:3@2\nf\n#EXTINF:4,\n#EXT-X-BYTERANGE:2\nf\n" + END
    host = Host(master_m3u8=text, f=b"..GabGc..")
    assert brought(host) == b"GabGc"
    assert host.asked[1:] == [("f", "bytes=2-4"), ("f", "bytes=5-6")]


def test_tracks_of_fragmented_mp4_take_turns() -> None:
    host = Host(
        master_m3u8=MASTER.format(""), v_m3u8=fragmented("v"), a_m3u8=fragmented("a"), vi=init(b"v"), ai=init(b"a"),
        v1=fragment(b"v1"), v2=fragment(b"v2"), a1=fragment(b"a1"), a2=fragment(b"a2"),
    )  # fmt: skip
    made = brought(host)
    assert [made[each.start : each.end] for each in walk(made) if each.type == b"mdat"] == [b"v1", b"a1", b"v2", b"a2"]


def test_what_is_locked_with_a_key_that_is_given_is_opened() -> None:
    vector = IV.hex()
    text = playlist("a", "b").replace("#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x{vector}\n#EXTINF', 1)
    host = Host(master_m3u8=text, key=SECRET, a=locked(b"Ga"), b=locked(b"G" * 16))
    assert brought(host) == b"Ga" + b"G" * 16
    assert [name for name, _ in host.asked].count("key") == 1


@pytest.mark.parametrize("clear", [True, False])
def test_an_init_segment_may_be_locked_or_not(clear: bool) -> None:
    text = HEAD + f'#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x{IV.hex()}\n#EXT-X-MAP:URI="i"\n#EXTINF:4,\na\n' + END
    host = Host(
        master_m3u8=text, key=SECRET, i=init(b"v") if clear else locked(init(b"v")), a=locked(fragment(b"v1"))
    )
    assert brought(host).endswith(box(b"mdat", b"v1"))


def test_places_that_moved_are_followed_and_what_they_name_is_found_beside_them() -> None:
    class Moving(Host):
        def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
            if url == URL:
                raise Refused(302, None, {"Location": "https://other.example/w/session.m3u8"})
            assert url.startswith("https://other.example/w/")
            return super().fetch(url, headers)

    assert brought(Moving(session_m3u8=playlist("a"), a=b"Ga")) == b"Ga"


LOCK = f'{HEAD}#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF:4,\na\n{END}'
RANGE = f"{HEAD}#EXTINF:4,\n#EXT-X-BYTERANGE:3@0\na\n{END}"


@pytest.mark.parametrize(
    ("host", "error", "sentence"),
    [
        (Host(master_m3u8=Answer(202, {}, b"")), Unusable, "still being made"),
        (Host(master_m3u8=Answer(200, {"Sluice-Growing": "1"}, playlist("a").encode())), Unusable, "still being made"),
        (Host(master_m3u8=playlist("a"), a=b"<html>"), Unusable, "neither MPEG-TS nor"),
        (Host(master_m3u8=playlist("a")), Refused, "404"),
        (Host(master_m3u8=playlist("a"), a=Unreachable("It is gone.")), Refused, "It is gone"),
        (Host(master_m3u8=Refused(302, None, {"Location": URL})), Refused, "without end"),
        (Host(master_m3u8=Refused(302, None, {"Location": "https://[x"})), Refused, "no URL"),
        (Host(master_m3u8=Refused(302, None)), Refused, "302"),
        (Host(master_m3u8=LOCK, a=locked(b"Ga"), key=b"short"), Unusable, "no key for that"),
        (Host(master_m3u8=LOCK, a=b"odd", key=SECRET), Unusable, "can't be decrypted"),
        (Host(master_m3u8=LOCK, a=locked(b"Ga")), Refused, "404"),
        (Host(master_m3u8=RANGE, a=b"Ga"), Unusable, "no parts of files"),
        (Host(master_m3u8=RANGE, a=Answer(200, {}, b"Gab")), Unusable, "no parts of files"),
        (Host(master_m3u8=fragmented("v"), vi=b"<html>"), Unusable, "can't be made one file"),
        (Host(master_m3u8=fragmented("v"), vi=init(b"v"), v1=b"Gts"), Unusable, "can't be made one file"),
        (Host(master_m3u8=MASTER.format(""), v_m3u8=playlist("a"), a_m3u8=playlist("b")), Unusable, "apart from"),
    ],
    ids=range(16),
)  # fmt: skip
def test_what_can_not_be_had_is_told(host: Host, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        brought(host)


def test_what_is_no_key_is_not_kept() -> None:
    text = LOCK.replace('"key"', f'"key",IV=0x{IV.hex()}')
    host = Host(master_m3u8=text, a=locked(b"Ga"), key=b"<html>Sign in</html>")
    films, file = HlsFilms(host.fetch), io.BytesIO()
    film = films.look(URL)
    with pytest.raises(Unusable):
        films.bring(film, file)
    host.files["key"] = SECRET
    films.bring(film, file)
    assert file.getvalue() == b"Ga"


def test_sound_that_is_left_is_told() -> None:
    host = Host(master_m3u8=MASTER.format(MUXED), v_m3u8=playlist("a"), a_m3u8=playlist("b"), a=b"Ga")
    assert HlsFilms(host.fetch).look(URL).left == ("fr",)
    assert brought(host) == b"Ga"


def test_too_much_of_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(master_m3u8=playlist("a"), a=b"Ga")
    monkeypatch.setattr(hls_fetching, "BYTES_LIMIT", 1)
    with pytest.raises(Unusable, match="too large"):
        brought(host)


def test_too_long_a_time_is_told() -> None:
    times = iter((0.0, hls_fetching.TIME_LIMIT_S + 1))
    films = HlsFilms(Host(master_m3u8=playlist("a"), a=b"Ga").fetch, lambda: next(times))
    with pytest.raises(Unusable, match="more than 12 hours"):
        films.bring(films.look(URL), io.BytesIO())


def test_a_disk_that_is_full_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    films = HlsFilms(Host(master_m3u8=playlist("a"), a=b"Ga").fetch)
    film = films.look(URL)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(films, "bring", full)
    with pytest.raises(Refused, match="No space left"), films.brought(film):
        pass
    monkeypatch.setattr(hls_fetching, "TemporaryDirectory", full)
    with pytest.raises(Refused, match="No space left"), films.brought(film):
        pass


def test_the_file_is_there_while_it_is_used() -> None:
    films = HlsFilms(Host(master_m3u8=playlist("a"), a=b"Ga").fetch)
    with films.brought(films.look(URL)) as path:
        assert (path.name, path.read_bytes()) == ("source.ts", b"Ga")
    assert not path.parent.exists()
