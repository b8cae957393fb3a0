"""tus answers as plain values; every one carries Tus-Resumable."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from server.protocols.tus import checksum, concatenation, metadata
from server.protocols.tus.admission import Upload
from server.protocols.tus.commands import EXTENSIONS, VERSION

RESUMABLE = {"Tus-Resumable": VERSION}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer without a body."""

    status: int
    headers: Mapping[str, str]


def options(max_bytes: int) -> Answer:
    return _answer(
        204,
        {
            "Tus-Version": VERSION,
            "Tus-Extension": ",".join(EXTENSIONS),
            "Tus-Max-Size": str(max_bytes),
            "Tus-Checksum-Algorithm": ",".join(checksum.DIGEST_BYTES),
        },
    )


def created(location: str, upload: Upload) -> Answer:
    """`location` is relative or absolute; Upload-Offset says how much of a body sent along was kept."""
    return _answer(201, {"Location": location, **_offset(upload), **_expires(upload)})


def head(upload: Upload, pairs: metadata.Pairs) -> Answer:
    """Where the upload stands; never from a cache."""
    return _answer(
        200,
        {
            **_offset(upload),
            **_length(upload),
            **({concatenation.HEADER: upload.concat} if upload.concat else {}),
            **({metadata.HEADER: told} if (told := metadata.encode(pairs)) else {}),
            **_expires(upload),
            "Cache-Control": "no-store",
        },
    )


def appended(upload: Upload) -> Answer:
    return _answer(204, {"Upload-Offset": str(upload.offset), **_expires(upload)})


def deleted() -> Answer:
    return _answer(204, {})


def http_date(moment: datetime) -> str:
    """RFC 9110, section 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _answer(status: int, headers: Mapping[str, str]) -> Answer:
    return Answer(status, {**RESUMABLE, **headers})


def _offset(upload: Upload) -> Mapping[str, str]:
    # "The response to a HEAD request for a final upload SHOULD NOT contain the Upload-Offset header unless the
    # concatenation has been successfully finished."
    hidden = upload.made_of_others and upload.state != "uploaded"
    return {} if hidden else {"Upload-Offset": str(upload.offset)}


def _length(upload: Upload) -> Mapping[str, str]:
    # "As long as the length of the upload is not known, the Server MUST set Upload-Defer-Length: 1 in all
    # responses to HEAD requests."
    return {"Upload-Defer-Length": "1"} if upload.length is None else {"Upload-Length": str(upload.length)}


def _expires(upload: Upload) -> Mapping[str, str]:
    return {"Upload-Expires": http_date(upload.expires_at)} if upload.expires_at else {}
