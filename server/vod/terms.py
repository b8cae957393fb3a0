"""What the upload session of a file asks of it, held against what was found in the file."""

from server.catalog.upload_models import UploadSession
from server.media import file_types
from server.media.facts import SourceFacts
from server.media.problems import Unreadable

TOLERANCE_S = 0.1  # sound that ends after the pictures is nobody's fault


def limited(session: UploadSession | None) -> bool:
    """Whether a file is shown only once it has been looked at."""
    return session is not None and session.looks_inside


def check(session: UploadSession | None, facts: SourceFacts) -> None:
    """Raises Unreadable."""
    if session is None:
        return
    most_s, duration_s = session.max_duration_s, facts.duration_s or 0
    if most_s is not None and duration_s > most_s + TOLERANCE_S:
        raise Unreadable("too-long", f"It has {duration_s:.1f} seconds, {most_s:g} are taken.")
    if session.types and not file_types.found(session.types, facts.container, facts.picture is not None):
        what = "with" if facts.picture else "without"
        taken = ", ".join(session.types)
        raise Unreadable("other-type", f"It is {facts.container} {what} pictures, {taken} are taken.")
