import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Problem
from server.protocols.tus import checksum
from server.protocols.tus.checksum import DIGEST_BYTES, Checksum


@pytest.mark.parametrize("algorithm", DIGEST_BYTES)
def test_each_algorithm_gives_what_its_sender_computed(algorithm):
    digest = hashlib.new(algorithm, b"hello").digest()
    found = checksum.parse(f"{algorithm} {base64.b64encode(digest).decode()}")
    assert found == Checksum(algorithm, digest)

    hasher = found.hasher()
    hasher.update(b"hel")
    hasher.update(b"lo")

    assert hasher.digest() == digest


def test_none_is_none():
    assert checksum.parse(None) is None


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "The algorithms are sha1, sha256, md5."),
        ("crc32 AAAA", "The algorithms are sha1, sha256, md5."),
        ("sha1", "A checksum by sha1 has 20 bytes."),
        ("sha1 !!!", "The checksum must be in Base64."),
        ("sha1 Ü", "The checksum must be in Base64."),
        ("MD5 AAAA", "A checksum by md5 has 16 bytes."),
    ],
)
def test_faulty_ones_say_why(header, said):
    with pytest.raises(Problem) as caught:
        checksum.parse(header)

    assert (caught.value.row.status, caught.value.detail, caught.value.name) == (400, said, "Upload-Checksum")


@given(st.text())
def test_any_text_is_a_checksum_or_a_problem(text):
    try:
        found = checksum.parse(text)
    except Problem:
        return
    assert found is not None
    assert len(found.digest) == DIGEST_BYTES[found.algorithm]
