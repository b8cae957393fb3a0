"""Words and marks: what videos are found by.

Words are letters and digits without case and accents, the same of a video as of a search, on every database. Marks
stand for what is compared as a whole, such as a tag: a kind's letter and a hash, so that they are words as well.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable

WORD_CHARS = 64  # more of a word tells none apart
# Of a video that are looked at: it takes milliseconds, on the event loop, and what follows is rarely looked for. It
# holds once more for what they are decomposed to, as one character may stand for eighteen.
TEXT_CHARS = 20_000
SEARCH_WORDS = 16  # of a search
# Of a file of captions that are looked at, off the loop: three hours of talk. And of the words that are kept of it,
# and of all of a video's captions: some 2,500 that differ. A change of the title writes them all again, which takes
# 5 ms of the one who writes; 100,000 characters would take 70.
CAPTIONS_CHARS = 200_000
SPOKEN_CHARS = 20_000

# scripts without spaces are found by their characters
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


def of(texts: Iterable[str]) -> str:
    """Each word once, separated by single spaces."""
    return " ".join(dict.fromkeys(_all(" ".join(texts))))


def of_captions(text: str) -> str:
    """As `of`, of more, as many as are kept."""
    return _kept(" ".join(dict.fromkeys(_all(text, CAPTIONS_CHARS))))


def joined(tracks: Iterable[str]) -> str:
    """Each word of several once, as many as are kept. Looks at no more tracks than that takes."""
    found: dict[str, None] = {}
    for words in tracks:
        found |= dict.fromkeys(words.split())
        if sum(map(len, found)) + len(found) > SPOKEN_CHARS:
            break
    return _kept(" ".join(found))


def is_full(spoken: str) -> bool:
    """Whether no word can be relied on to fit in."""
    return len(spoken) + 1 + WORD_CHARS > SPOKEN_CHARS


def _kept(spoken: str) -> str:
    return spoken if len(spoken) <= SPOKEN_CHARS else spoken[: SPOKEN_CHARS + 1].rpartition(" ")[0]


def of_search(text: str) -> list[str]:
    """Each is the beginning of a word that is wanted. There are more than SEARCH_WORDS only if that many were given."""
    return list(dict.fromkeys(_all(text)))


def mark(kind: str, *parts: object) -> str:
    """`kind` is a letter: p for what is listed of a project, t a tag, m a pair of metadata, c a custom value,
    h that there is one of a field, f a folder."""
    told = json.dumps(parts, ensure_ascii=True).encode()
    return kind + hashlib.sha256(told).hexdigest()[:20]


def _all(text: str, limit: int = TEXT_CHARS) -> list[str]:
    text = text[:limit].casefold()
    if not text.isascii():
        # without the marks that it has already: many in a row are slow to put in their order
        decomposed = unicodedata.normalize("NFKD", _bare(text))[:limit]
        text = _bare(decomposed.casefold())
    return [word[:WORD_CHARS] for word in _WORD.findall(text)]


def _bare(text: str) -> str:
    """Without accents and other marks."""
    return text.translate({ord(each): None for each in set(text) if unicodedata.category(each)[0] == "M"})
