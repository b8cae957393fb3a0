import pytest

from server.errors import Problem
from server.protocols.tus.admission import RULES, Upload, Write, admit, admit_append
from server.protocols.tus.commands import Append, Delete, Head

MAX = 1000
FRESH = Upload("created", 0, 100)
HALF = Upload("uploading", 70, 100)
DEFERRED = Upload("uploading", 70, None)
WHOLE = Upload("uploaded", 100, 100)


@pytest.mark.parametrize(
    ("command", "upload", "write"),
    [
        (Append(0, None, 100), FRESH, Write(0, 100, 100)),
        (Append(70, None, 30), HALF, Write(70, 30, 100)),
        (Append(70, None, None), HALF, Write(70, 30, 100)),
        (Append(70, 100, 10), HALF, Write(70, 30, 100)),
        (Append(70, None, 10), DEFERRED, Write(70, 930, None)),
        (Append(70, 200, 10), DEFERRED, Write(70, 130, 200)),
        (Append(70, 70, 0), DEFERRED, Write(70, 0, 70)),
        (Append(100, None, 0), WHOLE, Write(100, 0, 100)),
    ],
)
def test_appends_in_place_are_admitted(command, upload, write):
    assert admit_append(command, upload, MAX) == write


@pytest.mark.parametrize(
    ("command", "upload", "status", "code"),
    [
        (Append(69, None, 1), HALF, 409, "upload-conflict"),
        (Append(71, None, 1), HALF, 409, "upload-conflict"),
        (Append(0, None, 1), WHOLE, 409, "upload-conflict"),
        (Append(70, None, 31), HALF, 413, "uploaded-file-too-large"),
        (Append(70, None, 931), DEFERRED, 413, "uploaded-file-too-large"),
        (Append(100, None, 1), WHOLE, 413, "uploaded-file-too-large"),
        (Append(70, 99, 1), HALF, 400, "invalid-attribute"),
        (Append(70, 69, 1), DEFERRED, 400, "invalid-attribute"),
        (Append(70, None, 1), Upload("expired", 70, 100), 410, "upload-gone"),
        (Append(70, None, 1), Upload("aborted", 70, 100), 410, "upload-gone"),
    ],
)
def test_appends_out_of_place_are_refused(command, upload, status, code):
    with pytest.raises(Problem) as caught:
        admit_append(command, upload, MAX)

    assert (caught.value.row.status, caught.value.code) == (status, code)


def test_a_wrong_offset_is_told_the_right_one():
    with pytest.raises(Problem) as caught:
        admit_append(Append(0, None, 1), HALF, MAX)

    assert caught.value.headers == {"Upload-Offset": "70"}


@pytest.mark.parametrize(
    ("command", "state", "status"),
    [
        (Head(), "created", None),
        (Head(), "uploading", None),
        (Head(), "uploaded", None),
        (Head(), "aborted", 410),
        (Head(), "expired", 410),
        (Delete(), "created", None),
        (Delete(), "uploading", None),
        (Delete(), "uploaded", 403),
        (Delete(), "aborted", 410),
        (Delete(), "expired", 410),
    ],
)
def test_commands_by_state(command, state, status):
    upload = Upload(state, 0, 1)
    if status is None:
        admit(command, upload)
    else:
        with pytest.raises(Problem) as caught:
            admit(command, upload)
        assert caught.value.row.status == status


def test_every_command_knows_every_state():
    states = {"created", "uploading", "uploaded", "aborted", "expired"}

    assert [set(rules) for rules in RULES.values()] == [states] * 3
