"""An HLS stream brought into one file: MPEG-TS segments one after the other, or fragmented MP4 with all its tracks.

Everything is fetched through the library's own way of asking, which is patient and gives a key to nobody else. What
there is too much of (time, bytes) is told by a sentence; what the pieces hold is looked at no closer than boxes and
sync bytes, for the server examines the file as any other.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Literal

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from server import clock
from server.client.api import Answer
from server.client.migration import hls_playlists
from server.client.migration.calling import Fetch, followed
from server.client.migration.hls_playlists import GROWING, LOCKED, TOO_MUCH, Key, Piece, Stream, Unusable
from server.client.refusals import Refused
from server.formats.fmp4 import joining
from server.formats.fmp4.box import BoxError
from server.formats.languages import three_letters

BYTES_LIMIT = 256 << 30  # of one file: a day at 20 Mbit/s
TIME_LIMIT_S = 12 * 3600.0  # of one file: what takes longer is no road to bring a library by
GROWS = "sluice-growing"  # header of a multivariant playlist that will list more
SYNC = b"\x47"  # the first byte of a packet of MPEG-TS (ISO/IEC 13818-1, 2.4.3.2)
KEY_BYTES = 16
BLOCK_BITS = 128

NO_FILE = "Its HLS stream is neither MPEG-TS nor fragmented MP4."
SILENT = "The sound of its HLS stream is in MPEG-TS files apart from the pictures, which can't be joined."
ODD_MP4 = "The fragmented MP4 of its HLS stream can't be made one file: {}."

Kind = Literal["mp4", "ts"]


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be brought. `languages`: of the streams, as far as they are told. `left`: those of sound that can't be
    taken along."""

    streams: tuple[Stream, ...]  # the pictures first
    kind: Kind
    languages: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class HlsFilms:
    def __init__(self, fetch: Fetch, now: Callable[[], float] = clock.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._keys: dict[str, bytes] = {}

    def look(self, url: str) -> Film:
        """Reads its playlists. Raises Unusable, Refused."""
        text, where = self._playlist(url)
        chosen = hls_playlists.chosen(text, where)
        pictures = self._stream(chosen.url) if chosen.url else hls_playlists.stream(text, where)
        if not chosen.sounds:
            return Film((pictures,), _kind(pictures))
        sounds = [self._stream(sound.url) for sound in chosen.sounds]
        if all(one.init is not None for one in (pictures, *sounds)):
            return Film((pictures, *sounds), "mp4", ("", *(sound.language for sound in chosen.sounds)))
        if not chosen.heard:
            raise Unusable(SILENT)
        left = tuple(sound.language or "another" for sound in chosen.sounds)
        return Film((pictures,), _kind(pictures), left=left)

    @contextmanager
    def brought(self, film: Film) -> Iterator[Path]:
        """A file that is there for as long as it is used. Raises Unusable, Refused."""
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(TemporaryDirectory(prefix="sluice-import-"))
                path = Path(folder, f"source.{film.kind}")
                with path.open("wb") as file:
                    self.bring(film, file)
            except OSError as error:
                raise Refused(507, {"title": f"Its stream can't be kept here for a while: {error.strerror}."}) from None
            yield path

    def bring(self, film: Film, file: BinaryIO) -> None:
        """Raises Unusable, Refused, OSError."""
        ends, size = self._now() + TIME_LIMIT_S, 0
        try:
            for data in self._whole(film):
                size += file.write(data)
                if size > BYTES_LIMIT:
                    raise Unusable("Its HLS stream is too large.")
                if self._now() > ends:
                    raise Unusable(f"Its HLS stream took more than {TIME_LIMIT_S / 3600:g} hours to fetch.")
        except BoxError as error:
            raise Unusable(ODD_MP4.format(error)) from None

    def _whole(self, film: Film) -> Iterator[bytes | bytearray]:
        """Its bytes. Raises as `bring`, and BoxError."""
        if film.kind == "ts":
            for piece in film.streams[0].segments:
                data = self._piece(piece)
                if not data.startswith(SYNC):
                    raise Unusable(NO_FILE)
                yield data
            return
        inits = [self._init(one.init) for one in film.streams if one.init is not None]
        init = joining.joined_init(inits, [three_letters(one) if one else "" for one in film.languages])
        yield init.data
        sequence = 1
        for number, piece in _in_turns(film.streams):
            segment, sequence = joining.joined_segment(self._piece(piece), init.ids[number], sequence)
            yield segment

    def _stream(self, url: str) -> Stream:
        return hls_playlists.stream(*self._playlist(url))

    def _playlist(self, url: str) -> tuple[str, str]:
        """(its text, where it was found)"""
        answer, where = self._found(url, {})
        if answer.status == 202 or any(name.lower() == GROWS for name in answer.headers):
            raise Unusable(GROWING)
        if len(answer.raw) > hls_playlists.PLAYLIST_BYTES:
            raise Unusable(TOO_MUCH)
        return answer.raw.decode(errors="replace"), where

    def _init(self, piece: Piece) -> bytes:
        """In the clear where it is so already: the playlist may name a key only after it."""
        data = self._bytes(piece)
        if piece.key is None or data[4:8] in (b"ftyp", b"moov", b"styp"):
            return data
        return self._decrypted(data, piece.key)

    def _piece(self, piece: Piece) -> bytes:
        data = self._bytes(piece)
        return data if piece.key is None else self._decrypted(data, piece.key)

    def _bytes(self, piece: Piece) -> bytes:
        if piece.byte_range is None:
            return self._found(piece.url, {})[0].raw
        first, length = piece.byte_range
        answer, _ = self._found(piece.url, {"Range": f"bytes={first}-{first + length - 1}"})
        if answer.status != 206 or len(answer.raw) != length:
            raise Unusable("The host of its HLS stream gives no parts of files.")
        return answer.raw

    def _decrypted(self, data: bytes, key: Key) -> bytes:
        secret = self._secret(key.url)
        try:
            cipher = Cipher(AES(secret), CBC(key.iv)).decryptor()
            padding = PKCS7(BLOCK_BITS).unpadder()
            return padding.update(cipher.update(data) + cipher.finalize()) + padding.finalize()
        except ValueError:
            raise Unusable("A part of its HLS stream can't be decrypted.") from None

    def _secret(self, url: str) -> bytes:
        """What is none is not kept: it may be large. Raises Unusable, Refused."""
        if url not in self._keys:
            secret = self._found(url, {})[0].raw
            if len(secret) != KEY_BYTES:
                raise Unusable(LOCKED.format("AES-128"))
            if len(self._keys) >= hls_playlists.MAX_KEYS:
                self._keys.clear()
            self._keys[url] = secret
        return self._keys[url]

    def _found(self, url: str, headers: Mapping[str, str]) -> tuple[Answer, str]:
        """(the answer, where it was found in the end)"""
        return followed(self._fetch, url, headers)


def _kind(stream: Stream) -> Kind:
    return "ts" if stream.init is None else "mp4"


def _in_turns(streams: Sequence[Stream]) -> Iterator[tuple[int, Piece]]:
    """(number of the stream, segment) by their beginning, the pictures first: so readers find together what is shown
    together."""
    rows = [[(one.start_s, number, one) for one in each.segments] for number, each in enumerate(streams)]
    for _, number, piece in heapq.merge(*rows, key=lambda row: row[:2]):
        yield number, piece
