"""Names of languages: what publishers send, as BCP 47 has it.

MPEG-TS and MP4 say three letters of ISO 639-2; a BCP 47 tag must use the two of ISO 639-1 where there are any
(RFC 5646 2.2.1). The table holds what broadcasts are made in; what is not in it is passed on as it came.
"""

import re

# ISO 639-2, terminological and bibliographic, to ISO 639-1.
TWO_LETTERS = {
    "ara": "ar", "bel": "be", "ben": "bn", "bul": "bg", "cat": "ca", "ces": "cs", "chi": "zh", "cze": "cs",
    "dan": "da", "deu": "de", "dut": "nl", "ell": "el", "eng": "en", "est": "et", "eus": "eu", "baq": "eu",
    "fas": "fa", "per": "fa", "fin": "fi", "fra": "fr", "fre": "fr", "geo": "ka", "kat": "ka", "ger": "de",
    "gle": "ga", "glg": "gl", "gre": "el", "heb": "he", "hin": "hi", "hrv": "hr", "hun": "hu", "arm": "hy",
    "hye": "hy", "ice": "is", "isl": "is", "ind": "id", "ita": "it", "jpn": "ja", "kaz": "kk", "kor": "ko",
    "lav": "lv", "lit": "lt", "mac": "mk", "mkd": "mk", "may": "ms", "msa": "ms", "nld": "nl", "nor": "no",
    "pol": "pl", "por": "pt", "ron": "ro", "rum": "ro", "rus": "ru", "slk": "sk", "slo": "sk", "slv": "sl",
    "spa": "es", "sqi": "sq", "alb": "sq", "srp": "sr", "swe": "sv", "tam": "ta", "tel": "te", "tha": "th",
    "tur": "tr", "ukr": "uk", "urd": "ur", "uzb": "uz", "vie": "vi", "wel": "cy", "cym": "cy", "zho": "zh",
}  # fmt: skip
BIBLIOGRAPHIC = frozenset({
    "alb", "arm", "baq", "chi", "cze", "dut", "fre", "geo", "ger", "gre", "ice", "mac", "may", "per", "rum", "slo",
    "wel",
})  # fmt: skip
THREE_LETTERS = {two: three for three, two in TWO_LETTERS.items() if three not in BIBLIOGRAPHIC}
NO_LANGUAGE = frozenset({"", "und", "mis", "mul", "zxx"})
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
MAX_TAG = 35  # RFC 5646 4.4.1


def three_letters(tag: str) -> str:
    """Of ISO 639-2, as containers have it, for a BCP 47 tag; "und" where there are none that are known."""
    primary = (bcp47(tag) or "").partition("-")[0]
    return primary if len(primary) == 3 else THREE_LETTERS.get(primary, "und")


def bcp47(code: str) -> str | None:
    """The tag of what a publisher sent; None where that names no language."""
    code = code.strip().strip("\0")
    if code.lower() in NO_LANGUAGE or len(code) > MAX_TAG or not _TAG.fullmatch(code):
        return None
    primary, hyphen, rest = code.partition("-")
    return TWO_LETTERS.get(primary.lower(), primary.lower()) + hyphen + rest
