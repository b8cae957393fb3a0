"""What credentials may be given, and what it opens."""

import pytest

from server.web import application, scopes
from server.web.typed import Operation


@pytest.mark.parametrize(
    ("given", "scope", "may"),
    [
        ("*", "videos:delete", True),
        ("videos:*", "videos:delete", True),
        ("videos:*", "live-streams:read", False),
        ("*:read", "live-streams:read", True),
        ("*:read", "live-streams:write", False),
        ("videos:write", "videos:delete", False),
        ("videos:write", "uploads:create", True),
        ("videos:*", "uploads:create", True),
        ("*:write", "uploads:create", True),
        ("uploads:create", "videos:write", False),
        ("playback-tokens:mint", "playback-tokens:revoke", False),
        # groups: may one who has this give that away?
        ("*", "*", True),
        ("videos:*", "*", False),
        ("*:read", "*:read", True),
        ("videos:read", "*:read", False),
        ("videos:read", "videos:*", False),
        ("*", "videos:*", True),
    ],
)
def test_what_a_scope_has_in_it(given: str, scope: str, may: bool) -> None:
    assert scopes.allow({given}, scope) is may


@pytest.mark.parametrize(
    ("method", "path", "declared", "asked"),
    [
        ("DELETE", "/videos/{videoId}", "videos:write", "videos:delete"),
        ("DELETE", "/videos/{videoId}/trim", "videos:write", "videos:write"),
        ("DELETE", "/live-streams/{liveStreamId}/restreams/{restreamId}", "live-streams:write", "live-streams:write"),
        ("DELETE", "/auth", None, None),
        ("POST", "/videos", "videos:write", "videos:write"),
    ],
)
def test_deleting_an_object_takes_a_scope_of_its_own(method: str, path: str, declared: str, asked: str) -> None:
    assert scopes.of_operation(method, path, declared) == asked


def declared() -> list[Operation]:
    return [one for group in application.api.OPERATIONS for one in group.all]


# what is called to get credentials
OPEN = {
    "/auth/api-key", "/auth/refresh", "/oauth/token", "/oauth/revoke", "/.well-known/oauth-authorization-server",
}  # fmt: skip


@pytest.mark.parametrize("operation", declared(), ids=lambda operation: operation.name)
def test_every_operation_asks_for_a_scope_of_the_table(operation: Operation) -> None:
    if operation.path in OPEN:
        assert operation.scope is None
    else:
        assert operation.scope in scopes.names()
