"""POST /auth/api-key and /auth/refresh, as the SDKs call them."""

import pytest

from tests.unit.web.kit import OWNER_KEY, Client, basic, bearer, problem


async def test_an_api_key_for_tokens(anonymous: Client) -> None:
    async with anonymous.post("/auth/api-key", json={"apiKey": OWNER_KEY}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        answer = await response.json()

    assert set(answer) == {"token_type", "expires_in", "access_token", "refresh_token"}
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    async with anonymous.get("/videos", headers=bearer(answer["access_token"])) as response:
        assert response.status == 200


async def test_a_refresh_as_the_browser_sends_it(anonymous: Client) -> None:
    async with anonymous.post("/auth/api-key", json={"apiKey": OWNER_KEY}) as response:
        refresh = (await response.json())["refresh_token"]
    body = b'{"refreshToken": "' + refresh.encode() + b'"}'
    async with anonymous.post("/auth/refresh", data=body, headers={"Content-Type": "text/plain"}) as response:
        assert response.status == 200
        answer = await response.json()
    async with anonymous.get("/videos", headers=bearer(answer["access_token"])) as response:
        assert response.status == 200


async def test_credentials_sent_along_do_not_matter(anonymous: Client) -> None:
    for headers in (basic(OWNER_KEY + ":"), bearer("expired")):
        async with anonymous.post("/auth/api-key", json={"apiKey": OWNER_KEY}, headers=headers) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("path", "body", "code", "name"),
    [
        ("/auth/api-key", {"apiKey": "wrong"}, "authentication-invalid-user-credentials", "apiKey"),
        ("/auth/api-key", {}, "attribute-required", "apiKey"),
        ("/auth/api-key", {"apiKey": ""}, "invalid-attribute", "apiKey"),
        ("/auth/api-key", {"apiKey": 7}, "invalid-attribute", "apiKey"),
        ("/auth/api-key", {"apiKey": None}, "invalid-attribute", "apiKey"),
        ("/auth/api-key", {"apiKey": "x" * 3000}, "invalid-attribute", "apiKey"),
        ("/auth/api-key", {"api_key": OWNER_KEY}, "attribute-required", "apiKey"),
        ("/auth/api-key", [], "invalid-payload", None),
        ("/auth/refresh", {"refreshToken": "wrong"}, "authentication-invalid-refresh-token", "refreshToken"),
        ("/auth/refresh", {"refreshToken": "a.b.c"}, "authentication-invalid-refresh-token", "refreshToken"),
        ("/auth/refresh", {}, "attribute-required", "refreshToken"),
    ],
)
async def test_refusals_are_400(anonymous: Client, path: str, body: object, code: str, name: str | None) -> None:
    async with anonymous.post(path, json=body) as response:
        await problem(response, 400, code, name)
