import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Problem
from server.protocols.multipart import Parser, PartBegin, PartData, PartEnd, boundary_of


def part(name, body, filename=None, more=b""):
    disposition = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return disposition.encode() + b"\r\n" + more + b"\r\n" + body


def form(*parts, end=b"--\r\n"):
    return b"".join(b"--XX\r\n" + each + b"\r\n" for each in parts) + b"--XX" + end


def read(data, step=None):
    """[(PartBegin, bytes)] of a form that comes in chunks of `step`."""
    parser, found = Parser(b"XX"), []
    for at in range(0, len(data), step or len(data)):
        for event in parser.receive_data(data[at : at + (step or len(data))]):
            match event:
                case PartBegin():
                    found.append([event, b"", False])
                case PartData(data=some):
                    found[-1][1] += some
                case PartEnd():
                    found[-1][2] = True
    parser.close()
    assert all(whole for _, _, whole in found)
    return [(begin, body) for begin, body, _ in found]


NEARLY = b"\r\n--X\r\r\n--X\0\r"  # the delimiter, but for a byte
FILE = part("file", NEARLY, "a.mp4", b"Content-Type: video/mp4\r\n")
EXPECTED = [
    (PartBegin("videoId", None, None), b"vi1"),
    (PartBegin("file", "a.mp4", "video/mp4"), NEARLY),
    (PartBegin("empty", None, None), b""),
]
FORM = form(part("videoId", b"vi1"), FILE, part("empty", b""))


@pytest.mark.parametrize("step", [None, 1, 2, 3, 5, 7, 11, 64])
def test_a_form_is_read_in_whatever_chunks(step):
    assert read(FORM, step) == EXPECTED


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize(
    "data", [b"preamble\r\n" + FORM, FORM + b"epilogue --XX", FORM.replace(b"--XX\r\n", b"--XX \t\r\n")]
)
def test_what_stands_around_the_parts_is_passed_over(data, step):
    assert read(data, step) == EXPECTED


def test_a_form_may_have_no_parts():
    assert read(b"--XX--\r\n") == []


@pytest.mark.parametrize(
    ("disposition", "begin"),
    [
        ('form-data; name="a b"; filename="x;y.mp4"', PartBegin("a b", "x;y.mp4", None)),
        (r'form-data; name="q"; filename="a\"b\\c"', PartBegin("q", r'a"b\c', None)),
        ("Form-Data;name=q;filename=plain.mp4", PartBegin("q", "plain.mp4", None)),
        ('form-data; name="q"; filename="фильм.mp4"', PartBegin("q", "фильм.mp4", None)),
        ('form-data; name="q"; filename=""', PartBegin("q", "", None)),
        ("form-data", PartBegin("", None, None)),
    ],
)
def test_dispositions_are_read(disposition, begin):
    data = form(f"content-disposition: {disposition}\r\n\r\nx".encode())

    assert read(data) == [(begin, b"x")]


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "The form ends early."),
        (b"--XX", "The form ends early."),
        (FORM[:-6], "The form ends early."),
        (form(part("a", b"b"))[:-10], "The form ends early."),
        (b"x" * 20_000, "No boundary, or too long headers."),
        (b"--XXY\r\n", "A boundary is followed by other text."),
        (form(b"\r\nbody"), "A part lacks Content-Disposition: form-data."),
        (form(b"Content-Disposition: attachment\r\n\r\nbody"), "A part lacks Content-Disposition: form-data."),
        (form(b"nonsense\r\n\r\nbody"), "A part has a header without a colon."),
        (form(b"A: " + b"x" * 20_000 + b"\r\n\r\nbody"), "A part has too long headers."),
        (b"--XX\r\nA: " + b"x" * 20_000, "No boundary, or too long headers."),
        (form(*[part("a", b"b")] * 33), "The form has more than 32 parts."),
    ],
)
def test_faulty_forms_are_refused(data, detail):
    with pytest.raises(Problem) as caught:
        read(data or b"\r\n")

    assert (caught.value.code, caught.value.detail) == ("invalid-payload", detail)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=XX", b"XX"),
        ('Multipart/Form-Data; charset=utf-8; boundary="X X:y"', b"X X:y"),
        ("multipart/form-data; boundary=----WebKitFormBoundaryAbC", b"----WebKitFormBoundaryAbC"),
    ],
)
def test_boundaries_are_read(content_type, boundary):
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("", 415),
        ("video/mp4", 415),
        ("multipart/mixed; boundary=XX", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=" + "x" * 71, 400),
        ("multipart/form-data; boundary=é", 400),
    ],
)
def test_other_types_are_refused(content_type, status):
    with pytest.raises(Problem) as caught:
        boundary_of(content_type)

    assert caught.value.row.status == status


def test_a_chunk_without_a_possible_delimiter_is_handed_on_as_it_is():
    parser = Parser(b"XX")
    list(parser.receive_data(b"--XX\r\n" + part("file", b"", "a") + b"begin of the body"))
    chunk = bytes(1 << 16)

    (event,) = parser.receive_data(chunk)
    assert event.data is chunk


BODIES = st.binary(max_size=50).filter(lambda body: b"\r\n--XX" not in b"\r\n" + body)
PIECES = st.sampled_from([b"--XX", b"\r\n", b"--", b"\r", b"-", b"X", b"Content-Disposition: form-data", b"\0"])


@given(st.lists(BODIES, max_size=4), st.integers(1, 40))
def test_any_bodies_come_through(bodies, step):
    data = form(*(part(f"n{at}", body, "f") for at, body in enumerate(bodies)))

    assert [body for _, body in read(data, step)] == bodies


@given(st.lists(PIECES), st.integers(1, 9))
def test_any_bytes_are_a_form_or_a_problem(pieces, step):
    try:
        found = read(b"".join(pieces) or b"x", step)
    except Problem as problem:
        found = problem.code

    assert found == "invalid-payload" or isinstance(found, list)
