"""Programs of others, from the page on which somebody lets them in to the end of their tokens; by a client library."""

import asyncio
import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from aiohttp import ClientResponse, ClientSession
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from sqlalchemy import select

from server import clock
from server.catalog import events, keys, oauth_grants
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Project
from server.catalog.oauth_models import OAuthGrant
from server.playback.revocations import Revocations
from server.web import scopes
from server.web.api import oauth_apps
from server.web.auth import epoch_of
from tests.unit.web.kit import OWNER_KEY, Client, bearer, problem

BACK = "https://app.example.com/callback?of=ours"

NOBODY = "app_6F1o9vqnoDu2EoQzb3MbPG"  # an id that was never given


class Program:
    """A registered program, with a browser of somebody's."""

    def __init__(self, client: Client, registered: dict[str, Any], **more: Any) -> None:
        self.browser, self.id, self.registered = client, registered["appId"], registered
        self.base = str(client.make_url("")).rstrip("/")
        self.verifier = generate_token(48)
        method = "client_secret_post" if registered["clientSecret"] else "none"
        self.library = OAuth2Session(
            self.id, registered["clientSecret"], redirect_uri=BACK, scope="videos:read",
            code_challenge_method="S256", token_endpoint_auth_method=method, **more,
        )  # fmt: skip

    def url(self, **changed: Any) -> str:
        url, _ = self.library.create_authorization_url(f"{self.base}/oauth/authorize", code_verifier=self.verifier)
        split = urlsplit(url)
        given = {name: values[0] for name, values in parse_qs(split.query).items()} | changed
        return f"/oauth/authorize?{urlencode({k: v for k, v in given.items() if v is not None})}"

    async def send(self, key: str, decision: str = "allow", headers: Any = None, **changed: Any) -> ClientResponse:
        page = await self.browser.get(self.url(), headers={"Authorization": ""})
        text = await page.text()
        assert page.status == 200, text
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text)
        fields = {name: html.unescape(value) for name, value in hidden}
        data = {**fields, "key": key, "decision": decision, **changed}
        sent = {"Origin": self.base, "Sec-Fetch-Site": "same-origin"} if headers is None else headers
        return await self.browser.post("/oauth/authorize", data=data, headers=sent, allow_redirects=False)

    async def code(self, key: str = OWNER_KEY) -> str:
        response = await self.send(key)
        assert response.status == 303, await response.text()
        return response.headers["Location"]

    async def token(self, location: str, **more: Any) -> dict[str, Any]:
        def fetch() -> Any:
            return self.library.fetch_token(
                f"{self.base}/oauth/token", authorization_response=location, code_verifier=self.verifier, **more
            )

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
            return dict(await asyncio.to_thread(fetch))

    async def ask(self, **form: str) -> ClientResponse:
        async with ClientSession() as session:  # without a key of the API
            response = await session.post(f"{self.base}/oauth/token", data={"client_id": self.id, **form})
            await response.read()
        return response

    async def refresh(self, token: str, **form: str) -> ClientResponse:
        return await self.ask(grant_type="refresh_token", refresh_token=token, **form)


async def register(client: Client, confidential: bool = False, **more: Any) -> Program:
    body = {"name": "Cutter <b>", "redirectUris": [BACK], "scopes": ["videos:read", "videos:write"], **more}
    async with client.post("/oauth/apps", json={**body, "confidential": confidential}) as response:
        assert response.status == 201, await response.text()
        made: dict[str, Any] = await response.json()
    return Program(client, made)


@pytest.fixture(params=[False, True], ids=["public", "confidential"])
async def program(client: Client, request: pytest.FixtureRequest) -> Program:
    return await register(client, request.param)


@pytest.fixture
async def public(client: Client) -> Program:
    return await register(client)


async def error_of(response: ClientResponse) -> str:
    return str((await response.json(content_type=None))["error"])


async def opens(client: Client, token: str, path: str = "/videos") -> int:
    async with client.get(path, headers=bearer(token)) as response:
        return response.status


# --- the whole way


async def test_from_the_page_to_the_api(client: Client, program: Program, database: Database) -> None:
    location = await program.code()
    query = parse_qs(urlsplit(location).query)
    assert location.startswith(BACK)
    assert (query["of"], query["iss"], len(query["state"])) == (["ours"], [program.base], 1)

    tokens = await program.token(location)

    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 900, "videos:read")
    assert await opens(client, tokens["access_token"]) == 200
    assert await opens(client, tokens["access_token"], "/api-keys") == 403
    async with client.get("/oauth/grants") as response:
        (grant,) = (await response.json())["data"]
    assert (grant["appId"], grant["scopes"]) == (program.id, ["videos:read"])
    async with database.read() as transaction:
        told = await events.of_object(transaction, DEFAULT_PROJECT, grant["grantId"])
    assert [event.type for event in told] == ["oauth-grant.created"]
    async with client.get(f"/audit?objectId={grant['grantId']}") as response:
        (entry,) = (await response.json())["data"]
    assert entry["operation"] == "POST_oauth-authorize"
    for path in ("/audit", "/events", "/oauth/apps", "/oauth/grants"):
        async with client.get(path) as response:
            text = await response.text()
            for secret in (query["code"][0], tokens["refresh_token"], OWNER_KEY, program.registered["clientSecret"]):
                assert secret is None or secret not in text


async def test_it_gets_no_more_than_the_key_has(client: Client, public: Program, database: Database) -> None:
    async with database.write() as transaction:
        _, reader = await keys.create(transaction, DEFAULT_PROJECT, "reader", ["videos:read"])
        _, other = await keys.create(transaction, DEFAULT_PROJECT, "other", ["players:read"])
    public.library.scope = "videos:read videos:write"

    tokens = await public.token(await public.code(reader))

    assert tokens["scope"] == "videos:read"
    async with client.post("/videos", json={"title": "x"}, headers=bearer(tokens["access_token"])) as response:
        await problem(response, 403, "forbidden")
    refused = await public.send(other)
    assert (refused.status, "none of the scopes" in await refused.text()) == (403, True)


async def test_an_app_of_a_project_asks_that_projects_people_alone(
    client: Client, public: Program, database: Database
) -> None:
    async with database.write() as transaction:
        project = Project(name="Other")
        transaction.add(project)
        await transaction.flush()
        _, key = await keys.create(transaction, project.id, "theirs", ["*"])
    async with client.post(
        "/oauth/apps", headers={"Authorization": f"Bearer {key}"},
        json={"name": "x", "redirectUris": [BACK], "scopes": ["*"]},
    ) as response:  # fmt: skip
        theirs = Program(client, await response.json())

    assert (await public.send(key)).status == 303  # the organisation's is everybody's
    assert (await theirs.send(key)).status == 303
    assert (await theirs.send(OWNER_KEY)).status == 403


# --- refresh tokens


async def test_refresh_tokens_are_good_once_and_a_second_use_ends_the_grant(client: Client, public: Program) -> None:
    first = await public.token(await public.code())
    second = await (await public.refresh(first["refresh_token"])).json()
    third = await (await public.refresh(second["refresh_token"])).json()
    assert await opens(client, third["access_token"]) == 200

    again = await public.refresh(first["refresh_token"])

    assert (again.status, await error_of(again)) == (400, "invalid_grant")
    assert (await public.refresh(third["refresh_token"])).status == 400
    for tokens in (first, second, third):
        assert await opens(client, tokens["access_token"]) == 401
    async with client.get("/events?types=oauth-grant.revoked") as response:
        assert (await response.json())["data"][0]["data"]["reason"] == "reused"


async def test_twins_of_a_refresh_token_get_one_new_one(public: Program) -> None:
    tokens = await public.token(await public.code())

    answers = await asyncio.gather(*(public.refresh(tokens["refresh_token"]) for _ in range(5)))

    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400, 400]


async def test_a_refresh_token_gets_no_more_scopes(public: Program) -> None:
    tokens = await public.token(await public.code())

    wide = await public.refresh(tokens["refresh_token"], scope="videos:write")

    assert await error_of(wide) == "invalid_scope"


async def test_another_program_can_not_use_it(client: Client, public: Program) -> None:
    tokens, other = await public.token(await public.code()), await register(client)

    assert await error_of(await other.refresh(tokens["refresh_token"])) == "invalid_grant"
    assert (await public.refresh(tokens["refresh_token"])).status == 200


# --- codes


async def test_a_code_is_good_once_and_a_second_use_ends_the_grant(client: Client, public: Program) -> None:
    location = await public.code()
    tokens = await public.token(location)
    code = parse_qs(urlsplit(location).query)["code"][0]

    again = await public.ask(
        grant_type="authorization_code", code=code, redirect_uri=BACK, code_verifier=public.verifier
    )

    assert await error_of(again) == "invalid_grant"
    assert await opens(client, tokens["access_token"]) == 401
    assert (await public.refresh(tokens["refresh_token"])).status == 400


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"redirect_uri": "https://app.example.com/callback"}, "invalid_grant"),
        ({"code": "another"}, "invalid_grant"),
        ({"client_id": "app_1111111111111111111112"}, "invalid_client"),
        ({"client_secret": "guessed"}, "invalid_client"),
    ],
)
async def test_what_has_to_be_right_with_a_code(public: Program, changed: dict[str, str], error: str) -> None:
    code = parse_qs(urlsplit(await public.code()).query)["code"][0]
    right = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": public.verifier}

    wrong = await public.ask(**{**right, **changed})

    assert await error_of(wrong) == error
    assert (await public.ask(**right)).status == 200


async def test_a_confidential_program_has_to_show_its_secret(client: Client) -> None:
    program = await register(client, confidential=True)
    code = parse_qs(urlsplit(await program.code()).query)["code"][0]
    right = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": program.verifier}
    async with client.post(f"/oauth/apps/{program.id}/rotate") as response:
        new = (await response.json())["clientSecret"]

    for secret in ({}, {"client_secret": program.registered["clientSecret"]}, {"client_secret": ""}):
        assert await error_of(await program.ask(**right, **secret)) == "invalid_client"
    assert (await program.ask(**right, client_secret=new)).status == 200


async def test_a_code_ends_soon(public: Program, database: Database) -> None:
    location = await public.code()
    async with database.write() as transaction:
        (row,) = await transaction.scalars(select(OAuthGrant))
        row.code_expires_at = row.expires_at = clock.now() - timedelta(seconds=1)
    code = parse_qs(urlsplit(location).query)["code"][0]

    late = await public.ask(
        grant_type="authorization_code", code=code, redirect_uri=BACK, code_verifier=public.verifier
    )

    assert await error_of(late) == "invalid_grant"
    async with database.write() as transaction:
        await oauth_grants.sweep(transaction, clock.now())
        assert not list(await transaction.scalars(select(OAuthGrant)))


# --- taking it back


@pytest.mark.parametrize("way", ["grant", "app", "key", "rotated key", "program"])
async def test_taken_back(client: Client, public: Program, database: Database, way: str) -> None:
    async with database.write() as transaction:
        key, secret = await keys.create(transaction, DEFAULT_PROJECT, "mine", ["videos:read"])
    tokens = await public.token(await public.code(secret))
    async with client.get("/oauth/grants") as response:
        (grant,) = (await response.json())["data"]
    assert grant["apiKeyId"] == key.id

    if way == "program":
        async with ClientSession() as session:
            response = await session.post(f"{public.base}/oauth/revoke", data={"token": tokens["refresh_token"]})
            assert response.status == 200
    elif way == "rotated key":
        async with client.post(f"/api-keys/{key.id}/rotate", json={"overlap": 0}) as response:
            assert response.status == 200
    else:
        path = {"grant": f"/oauth/grants/{grant['grantId']}", "app": f"/oauth/apps/{public.id}"}
        async with client.delete(path.get(way, f"/api-keys/{key.id}")) as response:
            assert response.status == 204

    assert await opens(client, tokens["access_token"]) == 401
    assert (await public.refresh(tokens["refresh_token"])).status in (400, 401)


async def test_a_program_gives_its_access_token_back(client: Client, program: Program) -> None:
    tokens = await program.token(await program.code())
    secret = {"client_secret": program.registered["clientSecret"]} if program.registered["clientSecret"] else {}

    assert (await revoke(program, tokens["access_token"], client_id=program.id, **secret)).status == 200

    assert await opens(client, tokens["access_token"]) == 401
    assert (await program.refresh(tokens["refresh_token"], **secret)).status == 200  # the rest stays


async def revoke(program: Program, token: str, **form: str) -> ClientResponse:
    async with ClientSession() as session:
        response = await session.post(f"{program.base}/oauth/revoke", data={"token": token, **form})
        await response.read()
    return response


@pytest.mark.parametrize("named", [False, True])
async def test_a_token_that_is_none_is_revoked_already(
    client: Client, public: Program, named: bool
) -> None:
    for _ in range(30):
        response = await revoke(public, "none", **({"client_id": public.id} if named else {}))
        assert response.status == 200
    assert (await opens(client, OWNER_KEY)) == 200


async def test_another_programs_token_stays(client: Client, public: Program) -> None:
    tokens = await public.token(await public.code())
    other, confidential = await register(client), await register(client, confidential=True)

    for name in ("access_token", "refresh_token"):
        assert (await revoke(public, tokens[name], client_id=other.id)).status == 200
        refused = await revoke(public, tokens[name], client_id=confidential.id, client_secret="wrong")
        assert (refused.status, await error_of(refused)) == (401, "invalid_client")
    assert await opens(client, tokens["access_token"]) == 200
    assert (await public.refresh(tokens["refresh_token"])).status == 200


@pytest.mark.parametrize("client_id", ["x\x00y", "", "app_nobody", NOBODY, "key_" + "1" * 22])
async def test_a_program_that_is_none_writes_nothing(
    public: Program, database: Database, monkeypatch: pytest.MonkeyPatch, client_id: str
) -> None:
    monkeypatch.setattr(database, "write", None)
    response = await public.ask(grant_type="refresh_token", refresh_token="x", client_id=client_id)
    assert (response.status, await error_of(response)) == (401, "invalid_client")


# --- the page


async def test_the_page_says_who_asks_for_what_and_can_not_be_framed(public: Program) -> None:
    response = await public.browser.get(public.url(), headers={"Authorization": ""})
    text = await response.text()

    assert "Cutter &lt;b&gt; wants to act for you" in text
    assert "<code>videos:read</code>" in text
    assert "<code>app.example.com</code>" in text
    policy = response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert policy.endswith("form-action 'self' https://app.example.com")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": None}, {"client_id": "nonsense"}, {"client_id": NOBODY}, {"redirect_uri": None},
        {"redirect_uri": "https://app.example.com/callback"}, {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": BACK + "/"}, {"state": "x" * 3000},
    ],
)  # fmt: skip
async def test_who_is_not_known_is_led_nowhere(public: Program, changed: dict[str, Any]) -> None:
    response = await public.browser.get(public.url(**changed), allow_redirects=False, headers={"Authorization": ""})

    assert (response.status, "Location" in response.headers) == (400, False)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"), ({"scope": "videos:delete"}, "invalid_scope"),
        ({"scope": "nonsense"}, "invalid_scope"), ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"), ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_the_question_is_told_to_the_program(
    public: Program, changed: dict[str, Any], error: str
) -> None:
    response = await public.browser.get(public.url(**changed), allow_redirects=False, headers={"Authorization": ""})

    query = parse_qs(urlsplit(response.headers["Location"]).query)
    assert (response.status, query["error"], len(query["state"])) == (303, [error], 1)
    assert response.headers["Location"].startswith(BACK)


async def test_who_refuses_shows_no_key(public: Program) -> None:
    response = await public.send("", "deny")

    assert parse_qs(urlsplit(response.headers["Location"]).query)["error"] == ["access_denied"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 403), ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403)],
)
async def test_other_pages_can_not_send_the_form(public: Program, headers: dict[str, str], status: int) -> None:
    assert (await public.send(OWNER_KEY, headers=headers)).status == status


@pytest.mark.parametrize("changed", [{"scope": "videos:write"}, {"state": "another"}, {"shown": "1.x"}, {"shown": ""}])
async def test_what_was_not_shown_is_not_allowed(public: Program, changed: dict[str, str]) -> None:
    assert (await public.send(OWNER_KEY, **changed)).status == 400


async def test_whoever_guesses_keeps_no_program_from_its_next_token(public: Program) -> None:
    tokens = await public.token(await public.code())
    for _ in range(200):
        guess = await public.ask(grant_type="refresh_token", refresh_token="a guess", client_id=NOBODY)
        if guess.status == 429:
            break
    assert guess.status == 429

    assert (await public.refresh(tokens["refresh_token"])).status == 200
    assert (await public.refresh(tokens["access_token"])).status == 429  # it is none to refresh with


@pytest.mark.parametrize("foreign", [False, True], ids=["own", "anothers"])
async def test_a_refresh_token_does_not_let_its_bearer_guess_secrets(client: Client, foreign: bool) -> None:
    """Neither that of its program nor that of another, however many guesses its address has left."""
    program, other = await register(client, confidential=True), await register(client, confidential=True)
    tokens = await program.token(await program.code())
    guess = {"client_id": other.id if foreign else program.id, "client_secret": "a guess"}
    told = set()
    for _ in range(200):
        answer = await program.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"], **guess)
        told.add(answer.status)
        if answer.status == 429:
            break
    assert told == {401, 429}


async def test_guessing_keys_ends(public: Program, services: Any) -> None:
    for _ in range(200):
        response = await public.send("a guess")
        if response.status == 429:
            break
        assert response.status == 403

    await problem(response, 429, "too-many-requests")


@pytest.mark.parametrize(
    "uri",
    ["http://app.example.com/", "https://", "javascript:alert(1)", "https://a.example/#part", "app://x", "/callback",
     "https://a.example/ b", "data:text/html,x"],
)  # fmt: skip
async def test_redirect_uris_that_can_not_be(client: Client, uri: str) -> None:
    async with client.post("/oauth/apps", json={"name": "x", "redirectUris": [uri], "scopes": ["*"]}) as response:
        await problem(response, 400, "invalid-attribute", "redirectUris[0]")


@pytest.mark.parametrize("uri", ["https://a.example/x?y=z", "http://127.0.0.1:8000/", "com.example.app:/back"])
async def test_redirect_uris_that_can(client: Client, uri: str) -> None:
    async with client.post("/oauth/apps", json={"name": "x", "redirectUris": [uri], "scopes": ["*"]}) as response:
        assert response.status == 201


async def test_the_challenge_is_the_librarys(public: Program) -> None:
    assert f"code_challenge={create_s256_code_challenge(public.verifier)}" in public.url()


# --- changing a registered program


async def change(client: Client, program: Program, **body: Any) -> dict[str, Any]:
    async with client.patch(f"/oauth/apps/{program.id}", json=body) as response:
        assert response.status == 200, await response.text()
        return dict(await response.json())


async def types(database: Database) -> list[str]:
    async with database.read() as transaction:
        return [row.type for row in await events.after(transaction, 0, 100) if row.type.startswith("oauth-")]


async def test_what_is_not_given_stays(client: Client, public: Program, database: Database) -> None:
    before = {key: value for key, value in public.registered.items() if key not in ("clientSecret", "updatedAt")}
    assert {**before, "name": "Other"}.items() <= (await change(client, public, name="Other")).items()
    uris = ["https://other.example/", BACK]
    found = await change(client, public, redirectUris=uris, name="Other")
    assert (found["name"], found["redirectUris"], found["scopes"]) == ("Other", uris, before["scopes"])
    await change(client, public)
    assert await types(database) == ["oauth-app.created", "oauth-app.updated", "oauth-app.updated"]


@pytest.mark.parametrize(
    ("body", "name"),
    [({"name": ""}, "name"), ({"redirectUris": []}, "redirectUris"), ({"redirectUris": ["http://a.example/"]},
      "redirectUris"), ({"scopes": ["video:read"]}, "scopes"), ({"confidential": True}, "confidential"),
     ({"name": None}, "name")],
)  # fmt: skip
async def test_changes_that_can_not_be(client: Client, public: Program, body: Any, name: str) -> None:
    async with client.patch(f"/oauth/apps/{public.id}", json=body) as response:
        assert response.status == 400
        assert name in await response.text()


async def test_fewer_scopes_hold_for_what_was_allowed(client: Client, database: Database) -> None:
    program = await register(client)
    program.library.scope = "videos:read videos:write"
    tokens = await program.token(await program.code())
    assert await opens(client, tokens["access_token"]) == 200

    await change(client, program, scopes=["videos:read"])

    assert await opens(client, tokens["access_token"]) == 401  # it has more than the program may have
    async with client.get("/oauth/grants") as response:
        assert (await response.json())["data"][0]["scopes"] == ["videos:read"]
    fresh = await (await program.refresh(tokens["refresh_token"])).json()
    assert fresh["scope"] == "videos:read"
    assert await opens(client, fresh["access_token"]) == 200
    async with client.post("/videos", json={"title": "x"}, headers=bearer(fresh["access_token"])) as response:
        assert response.status == 403

    await change(client, program, scopes=["webhooks:read"])
    assert await opens(client, fresh["access_token"]) == 401
    assert (await program.refresh(fresh["refresh_token"])).status == 400
    assert (await types(database))[-4:] == [
        "oauth-app.updated", "oauth-grant.narrowed", "oauth-app.updated", "oauth-grant.revoked",
    ]  # fmt: skip


def count_turns(monkeypatch: pytest.MonkeyPatch, at_once: int) -> list[int]:
    """How many grants were looked at in each transaction."""
    turns, of_app = [], oauth_grants.of_app

    async def noted(*given: Any) -> list[OAuthGrant]:
        found = await of_app(*given)
        turns.append(len(found))
        return found

    monkeypatch.setattr(oauth_apps, "AT_ONCE", at_once)
    monkeypatch.setattr(oauth_grants, "of_app", noted)
    return turns


async def test_what_many_allowed_is_looked_at_in_turns_and_only_where_it_matters(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = await register(client)
    program.library.scope = "videos:read videos:write"
    for _ in range(5):
        await program.code()
    turns = count_turns(monkeypatch, 2)
    await change(client, program, name="Other")
    assert turns == []

    await change(client, program, scopes=["videos:read"])
    assert turns == [2, 2, 1]
    async with client.get("/oauth/grants") as response:
        assert [each["scopes"] for each in (await response.json())["data"]] == [["videos:read"]] * 5
    turns.clear()
    async with client.delete(f"/oauth/apps/{program.id}") as response:
        assert response.status == 204
    assert turns == [2, 2, 1]


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"scopes": ["videos:read"]}, 200), ({"scopes": ["webhooks:read"]}, 400),
     ({"redirectUris": ["https://other.example/"]}, 400)],
)  # fmt: skip
async def test_what_was_not_held_to_a_change_yet_gives_no_more_than_that(
    client: Client, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], status: int
) -> None:
    async def ends(*_: Any) -> None:
        """As a server does that is killed."""

    program = await register(client)
    program.library.scope = "videos:read videos:write"
    code = parse_qs(urlsplit(await program.code()).query)["code"][0]
    with monkeypatch.context() as patch:
        patch.setattr(oauth_apps, "_hold_all", ends)
        await change(client, program, **changes)
    made = await program.ask(
        grant_type="authorization_code", code=code, redirect_uri=BACK, code_verifier=program.verifier
    )

    assert made.status == status
    if status == 200:
        assert (await made.json())["scope"] == "videos:read"
    await change(client, program, **changes)  # again
    async with client.get("/oauth/grants") as response:
        assert all(each["scopes"] == ["videos:read"] for each in (await response.json())["data"])


async def test_tokens_with_more_end_with_the_change_whatever_comes_between(
    client: Client, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    async def ends(*_: Any) -> None:
        """As a server does that is killed."""

    programs = [await register(client) for _ in range(2)]
    tokens = []
    for program in programs:
        program.library.scope = "videos:read videos:write"
        tokens.append(await program.token(await program.code()))
    monkeypatch.setattr(oauth_apps, "_hold_all", ends)
    await change(client, programs[0], scopes=["videos:*", "webhooks:read"])  # no fewer
    assert await opens(client, tokens[0]["access_token"]) == 200
    await change(client, programs[0], scopes=["videos:read"])

    assert [await opens(client, each["access_token"]) for each in tokens] == [401, 200]
    restarted = Revocations(database)  # nothing but what was committed
    await restarted.load()
    epochs = [epoch_of(program.id, number) in restarted for program in programs for number in (0, 1)]
    assert epochs == [True, False, False, False]
    fresh = await (await programs[0].refresh(tokens[0]["refresh_token"])).json()
    assert fresh["scope"] == "videos:read"
    assert await opens(client, fresh["access_token"]) == 200


async def test_more_scopes_have_to_be_allowed(client: Client, public: Program) -> None:
    tokens = await public.token(await public.code())
    await change(client, public, scopes=["*"])
    assert await opens(client, tokens["access_token"]) == 200
    assert (await (await public.refresh(tokens["refresh_token"])).json())["scope"] == "videos:read"


async def test_a_code_on_its_way_to_where_it_may_go_no_more(client: Client, public: Program) -> None:
    location = await public.code()
    await change(client, public, redirectUris=["https://other.example/"])
    code = parse_qs(urlsplit(location).query)["code"][0]
    late = await public.ask(
        grant_type="authorization_code", code=code, redirect_uri=BACK, code_verifier=public.verifier
    )
    assert await error_of(late) == "invalid_grant"


async def test_what_was_shown_before_a_change_is_not_allowed(client: Client, public: Program) -> None:
    async with client.get(public.url(), headers={"Authorization": ""}) as page:
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', await page.text())
    await change(client, public, name="Your bank")
    data = {**{name: html.unescape(value) for name, value in hidden}, "key": OWNER_KEY, "decision": "allow"}

    async with client.post("/oauth/authorize", data=data, headers={"Origin": public.base}) as response:
        assert response.status == 400
        text = await response.text()

    assert "<h1>Your bank wants to act for you</h1>" in text


@pytest.mark.parametrize(
    ("allowed", "most", "left"),
    [
        (["videos:read"], ["*"], ["videos:read"]), (["*"], ["videos:read"], ["videos:read"]),
        (["*:read"], ["videos:*"], ["videos:read"]), (["videos:*"], ["videos:*", "videos:read"], ["videos:*"]),
        (["videos:write"], ["uploads:create"], ["uploads:create"]), (["videos:read"], ["webhooks:*"], []),
        (["videos:read", "jobs:read"], ["jobs:*"], ["jobs:read"]), (["*"], ["*"], ["*"]),
    ],
)  # fmt: skip
def test_what_two_lists_of_scopes_have_in_common(allowed: list[str], most: list[str], left: list[str]) -> None:
    assert scopes.common(allowed, most) == left
