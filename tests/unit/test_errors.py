"""The table of errors and the exception that names a row of it."""

import errno
import socket

import pytest

from server.errors import ERRORS, Problem, in_words


@pytest.mark.parametrize(("code", "row"), ERRORS.items())
def test_every_row_is_an_error_with_a_sentence(code: str, row: object) -> None:
    problem = Problem(code)

    assert 400 <= problem.row.status < 600
    assert problem.row.title.endswith(".")
    assert str(problem) == f"{code}: {problem.row.title}"


def test_the_detail_is_said_where_there_is_one() -> None:
    assert str(Problem("resource-not-found", detail="no video vi1")) == "resource-not-found: no video vi1"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EADDRINUSE, "error while attempting to bind on ('::', 1)"), "Address already in use"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (OSError("no more"), "no more"),
    ],
)
def test_the_system_s_words(error: OSError, words: str) -> None:
    assert in_words(error) == words
