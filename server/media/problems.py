"""Why a file can't be watched: the codes, the sentence of each, and what is said with it. Pure."""

from dataclasses import dataclass

TITLES = {
    "empty": "The file is empty.",
    "not-media": "The file is neither video nor sound.",
    "truncated": "The file is not whole: its end is missing.",
    "invalid": "The file is not valid media.",
    "no-tracks": "There is nothing to see or hear in the file.",
    "encrypted": "The file is encrypted: it can be played only with a key that is not in it.",
    "too-many-tracks": "The file has more tracks than are taken.",
    "too-large": "The pictures are larger than are taken.",
    "too-long": "The video is longer than is taken.",
    "other-type": "The file is of another type than is taken.",
    "sandbox": "The video is more than a sandbox project takes.",
    "crop": "The crop does not fit the picture.",
    "codec": "The file is coded in a way that is not known here.",
    "unsupported": "The file can't be made watchable.",
    "failed": "The file could not be processed.",
}
"""By code: what is wrong, for the file's owner."""


@dataclass(frozen=True, slots=True)
class MediaProblem:
    """A code of TITLES, and a sentence on this very file."""

    code: str
    detail: str


class Unreadable(Exception):
    """The file can't be used: a MediaProblem on its way up."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
