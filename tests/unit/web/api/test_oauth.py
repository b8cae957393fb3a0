"""API keys as OAuth clients."""

from typing import Any

import pytest

from tests.unit.web.kit import OWNER_KEY, Client, basic, bearer


@pytest.fixture
async def owner(client: Client) -> str:
    """The id of the owner's key."""
    found: str = (await (await client.get("/api-keys")).json())["data"][0]["apiKeyId"]
    return found


async def post(client: Client, path: str, form: dict[str, str], user: str | None = None) -> tuple[int, Any]:
    del client.session.headers["Authorization"]
    answer = await client.post(path, data=form, headers=basic(user) if user else {})
    client.session.headers.update(bearer(OWNER_KEY))
    body = await answer.read()
    return answer.status, await answer.json() if body else None


GRANT = {"grant_type": "client_credentials"}


@pytest.mark.parametrize("in_header", [True, False])
async def test_a_token_has_what_was_asked_for(client: Client, owner: str, in_header: bool) -> None:
    user = f"{owner}:{OWNER_KEY}" if in_header else None
    form = GRANT | {"scope": "videos:read"} | ({} if in_header else {"client_id": owner, "client_secret": OWNER_KEY})
    status, token = await post(client, "/oauth/token", form, user)

    assert status == 200
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 900, "videos:read")
    headers = bearer(token["access_token"])
    assert (await client.get("/videos", headers=headers)).status == 200
    assert (await client.post("/videos", json={"title": "A"}, headers=headers)).status == 403
    assert (await client.get("/api-keys", headers=headers)).status == 403


@pytest.mark.parametrize(
    ("form", "user", "status", "error"),
    [
        (GRANT, "{id}:wrong", 401, "invalid_client"),
        (GRANT, "key_nobody:{key}", 401, "invalid_client"),
        (GRANT, None, 401, "invalid_client"),
        (GRANT | {"scope": "videos:see"}, "{id}:{key}", 400, "invalid_scope"),
        (GRANT | {"client_secret": "{key}"}, "{id}:{key}", 400, "invalid_request"),
        ({"grant_type": "password"}, "{id}:{key}", 400, "unsupported_grant_type"),
        ({}, "{id}:{key}", 400, "invalid_request"),
    ],
)
async def test_refusals(
    client: Client, owner: str, form: dict[str, str], user: str | None, status: int, error: str
) -> None:
    filled = user.format(id=owner, key=OWNER_KEY) if user else None
    answered, body = await post(client, "/oauth/token", form, filled)

    assert (answered, body["error"], body["status"]) == (status, error, status)
    assert body["error_description"] == body["detail"]


async def test_a_key_gives_no_more_than_it_has(client: Client) -> None:
    made = await (await client.post("/api-keys", json={"name": "x", "scopes": ["videos:*"]})).json()
    user = f"{made['apiKeyId']}:{made['secret']}"

    status, body = await post(client, "/oauth/token", GRANT | {"scope": "videos:read jobs:read"}, user)
    assert (status, body["error"]) == (400, "invalid_scope")
    status, body = await post(client, "/oauth/token", GRANT, user)
    assert (status, body["scope"]) == (200, "videos:*")
    await client.patch(f"/api-keys/{made['apiKeyId']}", json={"scopes": ["jobs:read"]})
    assert (await client.get("/videos", headers=bearer(body["access_token"]))).status == 403
    assert (await client.get("/jobs", headers=bearer(body["access_token"]))).status == 403  # it never had that


async def test_a_narrow_token_makes_no_wide_key(client: Client, owner: str) -> None:
    _, token = await post(client, "/oauth/token", GRANT | {"scope": "keys:write"}, f"{owner}:{OWNER_KEY}")
    wish = {"name": "x", "scopes": ["*"]}
    assert (await client.post("/api-keys", json=wish, headers=bearer(token["access_token"]))).status == 403


async def test_tokens_are_taken_back_one_by_one(client: Client, owner: str) -> None:
    user = f"{owner}:{OWNER_KEY}"
    first, second = [(await post(client, "/oauth/token", GRANT, user))[1]["access_token"] for _ in range(2)]
    made = await (await client.post("/api-keys", json={"name": "x", "scopes": ["*"]})).json()
    other = f"{made['apiKeyId']}:{made['secret']}"

    for token in (first, "no token"):
        assert (await post(client, "/oauth/revoke", {"token": token}, other))[0] == 200
    assert (await client.get("/videos", headers=bearer(first))).status == 200  # it is not the other key's
    assert (await post(client, "/oauth/revoke", {"token": first}, user))[0] == 200
    assert (await client.get("/videos", headers=bearer(first))).status == 401
    assert (await client.get("/videos", headers=bearer(second))).status == 200
    assert (await post(client, "/oauth/revoke", {}, user))[1]["error"] == "invalid_request"


async def test_what_is_on_offer(client: Client) -> None:
    told = await (await client.get("/.well-known/oauth-authorization-server")).json()
    assert told["token_endpoint"] == told["issuer"] + "/oauth/token"
    assert told["grant_types_supported"] == ["client_credentials", "authorization_code", "refresh_token"]
    assert (told["response_types_supported"], told["code_challenge_methods_supported"]) == (["code"], ["S256"])
    assert "videos:read" in told["scopes_supported"]
