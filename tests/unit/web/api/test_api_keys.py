"""API keys over the API."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from server import clock
from server.app.sweeping import sweep
from server.catalog import events, imports, jobs, keys
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, ApiKey, Project
from server.web.rates import Rates
from server.web.services import Services
from tests.unit.web.kit import OWNER_KEY, Client, basic, bearer, problem

Made = dict[str, Any]


async def make(client: Client, status: int = 201, **fields: Any) -> Made:
    answer = await client.post("/api-keys", json={"name": "a key", "scopes": ["videos:read"], **fields})
    found: Made = await answer.json()
    assert answer.status == status, found
    return found


async def status(client: Client, secret: str, method: str = "GET", path: str = "/videos") -> int:
    return (await client.request(method, path, headers=bearer(secret))).status


async def test_a_secret_is_shown_once_and_opens_what_its_scopes_say(client: Client) -> None:
    made = await make(client)
    secret = made.pop("secret")
    shown = await (await client.get(f"/api-keys/{made['apiKeyId']}")).json()
    listed = await (await client.get("/api-keys?sortBy=name")).text()

    assert made == shown
    assert secret not in listed
    assert made["apiKeyId"] in listed
    assert await status(client, secret) == 200
    assert await status(client, secret, "POST") == 403
    assert await status(client, secret, path="/api-keys") == 403


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["videos:see"]}, "scopes[0]"),
        ({"name": ""}, "name"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"expiresAt": "2020-01-01T00:00:00+00:00"}, "expiresAt"),
        ({"rateLimits": {"read": 0}}, "rateLimits[read]"),
        ({"projectId": "pr2222222222222222222222"}, "projectId"),
        ({"projectId": "elsewhere"}, "projectId"),
    ],
)
async def test_bad_wishes(client: Client, fields: Made, name: str) -> None:
    answer = await client.post("/api-keys", json={"name": "a key", "scopes": ["*"], **fields})
    await problem(answer, 400, "invalid-attribute", name)


async def test_nobody_gives_more_than_they_have(client: Client) -> None:
    limited = await make(client, scopes=["keys:*", "videos:read"])
    wide = await make(client, scopes=["videos:*"])
    client.session.headers.update(bearer(limited["secret"]))

    assert (await make(client, scopes=["videos:read"]))["scopes"] == ["videos:read"]
    answer = await client.post("/api-keys", json={"name": "x", "scopes": ["videos:read", "*"]})
    await problem(answer, 403, "forbidden", "scopes[1]")
    path = f"/api-keys/{limited['apiKeyId']}"
    await problem(await client.patch(path, json={"scopes": ["videos:write"]}), 403, "forbidden", "scopes[0]")
    await problem(await client.post(f"/api-keys/{wide['apiKeyId']}/rotate"), 403, "forbidden", "scopes[0]")


async def test_changes_count_at_once(client: Client) -> None:
    made = await make(client)
    path, secret = f"/api-keys/{made['apiKeyId']}", made["secret"]
    assert await status(client, secret) == 200

    changed = await (await client.patch(path, json={"scopes": ["jobs:read"], "name": "jobs"})).json()
    assert (changed["name"], changed["scopes"]) == ("jobs", ["jobs:read"])
    assert await status(client, secret) == 403
    past = (clock.now() - timedelta(seconds=5)).isoformat()
    assert (await client.patch(path, json={"expiresAt": past})).status == 200
    assert await status(client, secret) == 401


async def test_a_revoked_key_is_gone(client: Client, database: Database) -> None:
    made = await make(client)
    path = f"/api-keys/{made['apiKeyId']}"
    assert await status(client, made["secret"]) == 200

    assert (await client.delete(path)).status == 204
    assert await status(client, made["secret"]) == 401
    await problem(await client.get(path), 404, "resource-not-found", "apiKeyId")
    await problem(await client.delete(path), 404, "resource-not-found", "apiKeyId")
    async with database.read() as transaction:
        told = await events.of_object(transaction, DEFAULT_PROJECT, made["apiKeyId"])
    assert [event.type for event in told] == ["key.created", "key.revoked"]
    assert made["secret"] not in str([event.payload for event in told])


@pytest.mark.parametrize("overlap", [0, 3600])
async def test_rotation_leaves_the_old_secret_its_time(client: Client, overlap: int) -> None:
    made = await make(client)
    pair = await (await client.post("/auth/api-key", json={"apiKey": made["secret"]})).json()
    rotated = await (await client.post(f"/api-keys/{made['apiKeyId']}/rotate", json={"overlap": overlap})).json()

    assert rotated["secret"] != made["secret"]
    assert rotated["apiKeyId"] == made["apiKeyId"]
    assert await status(client, rotated["secret"]) == 200
    still = 200 if overlap else 401
    assert await status(client, made["secret"]) == still
    assert await status(client, pair["access_token"]) == still
    refreshed = await client.post("/auth/refresh", json={"refreshToken": pair["refresh_token"]})
    assert refreshed.status == (200 if overlap else 400)
    assert (rotated["previousSecretExpiresAt"] is not None) == bool(overlap)


async def test_the_overlap_ends_also_for_tokens(client: Client, database: Database) -> None:
    made = await make(client)
    await client.post(f"/api-keys/{made['apiKeyId']}/rotate", json={"overlap": 3600})
    pair = await (await client.post("/auth/api-key", json={"apiKey": made["secret"]})).json()
    assert await status(client, pair["access_token"]) == 200
    async with database.write() as transaction:
        row = await transaction.get(ApiKey, made["apiKeyId"])
        assert row
        row.previous_until = clock.now() - timedelta(seconds=1)

    assert await status(client, made["secret"]) == 401
    assert await status(client, pair["access_token"]) == 401


async def test_tokens_of_a_secret_before_the_last_stay_dead(client: Client, database: Database) -> None:
    made = await make(client)
    path = f"/api-keys/{made['apiKeyId']}/rotate"
    pair = await (await client.post("/auth/api-key", json={"apiKey": made["secret"]})).json()
    await client.post(path, json={"overlap": 0})
    assert await status(client, pair["access_token"]) == 401

    await client.post(path, json={"overlap": 3600})
    assert await status(client, pair["access_token"]) == 401
    refreshed = await client.post("/auth/refresh", json={"refreshToken": pair["refresh_token"]})
    assert refreshed.status == 400


async def test_a_keys_own_rate(client: Client) -> None:
    made = await make(client, rateLimits={"read": 2})
    answers = [await client.get("/videos", headers=bearer(made["secret"])) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].headers["X-RateLimit-Limit"] == "2"
    assert answers[2].headers["Retry-After"] == answers[2].headers["X-RateLimit-Retry-After"] != "0"
    assert (await client.get("/videos")).headers["X-RateLimit-Limit"] == "6000"


async def test_the_last_use_is_written_down_now_and_then(
    client: Client, database: Database, services: Services
) -> None:
    made = await make(client)
    await status(client, made["secret"])
    path = f"/api-keys/{made['apiKeyId']}"
    assert (await (await client.get(path)).json())["lastUsedAt"] is None
    await sweep(database, [services.credentials.note_uses])

    assert (await (await client.get(path)).json())["lastUsedAt"] is not None


async def test_wrong_keys_from_one_address_are_no_longer_looked_up(connect: Callable[..., Any]) -> None:
    client: Client = await connect({"failures": Rates({"failure": 3}, monotonic=lambda: 0.0)})
    await client.get("/videos")  # the owner's key is known
    assert [await status(client, f"wrong-{number}") for number in range(4)] == [401, 401, 401, 429]
    assert await status(client, OWNER_KEY) == 200
    assert (await client.get("/videos", headers={"Authorization": "Bearer caf\xe9"})).status == 429
    assert (await client.post("/auth/api-key", json={"apiKey": "wrong-5"})).status == 429


async def test_whoever_guesses_shuts_out_nobody_that_is_known(connect: Callable[..., Any]) -> None:
    client: Client = await connect({"failures": Rates({"failure": 1}, monotonic=lambda: 0.0)})
    token = (await (await client.post("/auth/api-key", json={"apiKey": OWNER_KEY})).json())["access_token"]
    made = await make(client, scopes=["*:read"])
    assert await status(client, made["secret"]) == 200
    assert [await status(client, f"wrong-{number}") for number in range(2)] == [401, 429]

    async with client.patch(f"/api-keys/{made['apiKeyId']}", json={"name": "changed"}) as changed:
        assert changed.status == 200  # of which all keys are read again
    assert await status(client, made["secret"]) == 200
    assert (await client.get("/videos", headers={"Authorization": f"Bearer {token}"})).status == 200
    await client.delete(f"/api-keys/{made['apiKeyId']}")
    assert await status(client, made["secret"]) == 401
    assert await status(client, made["secret"]) == 429  # known to be none


async def test_whoever_guesses_keeps_nobody_from_signing_in_that_is_known(connect: Callable[..., Any]) -> None:
    client: Client = await connect({"failures": Rates({"failure": 1}, monotonic=lambda: 0.0)})
    owner = (await (await client.get("/api-keys")).json())["data"][0]["apiKeyId"]
    assert [await status(client, f"wrong-{number}") for number in range(2)] == [401, 429]

    async def asked(secret: str, **form: str) -> int:
        async with client.post("/oauth/token", data=form, headers=basic(f"{owner}:{secret}")) as response:
            return response.status

    async with client.post("/auth/api-key", json={"apiKey": OWNER_KEY}) as response:
        assert response.status == 200
    assert await asked(OWNER_KEY, grant_type="client_credentials") == 200
    assert await asked("wrong-3", grant_type="client_credentials") == 429
    assert await asked(OWNER_KEY, grant_type="refresh_token", refresh_token="wrong-4") == 429


async def test_keys_that_are_tried_for_tokens_count_too(connect: Callable[..., Any]) -> None:
    client: Client = await connect({"failures": Rates({"failure": 2}, monotonic=lambda: 0.0)})
    tried = [(await client.post("/auth/api-key", json={"apiKey": f"wrong-{number}"})).status for number in range(3)]
    assert tried == [400, 400, 429]


# --- several projects


@pytest.fixture
async def theirs(database: Database) -> str:
    """The secret of a key of another project."""
    async with database.write() as transaction:
        other = Project(name="Other")
        transaction.add(other)
        await transaction.flush()
        return (await keys.create(transaction, other.id, "theirs", ["*"]))[1]


async def test_the_organisation_makes_keys_for_its_projects(client: Client) -> None:
    project = await (await client.post("/projects", json={"name": "Customer 7"})).json()
    made = await make(client, projectId=project["projectId"], scopes=["*"])
    own = await (await client.get("/api-keys")).json()
    theirs = await (await client.get(f"/api-keys?projectId={project['projectId']}")).json()

    assert made["projectId"] == project["projectId"]
    assert made["apiKeyId"] not in [key["apiKeyId"] for key in own["data"]]
    assert [key["apiKeyId"] for key in theirs["data"]] == [made["apiKeyId"]]
    assert (await client.post(f"/api-keys/{made['apiKeyId']}/rotate")).status == 200


async def test_another_project_reaches_no_others_keys(client: Client, theirs: str) -> None:
    made = await make(client)
    answer = await client.get(f"/api-keys/{made['apiKeyId']}", headers=bearer(theirs))
    await problem(answer, 404, "resource-not-found", "apiKeyId")
    wish = {"name": "x", "scopes": ["*"], "projectId": DEFAULT_PROJECT}
    answer = await client.post("/api-keys", json=wish, headers=bearer(theirs))
    await problem(answer, 400, "invalid-attribute", "projectId")


async def test_projects(client: Client, theirs: str) -> None:
    project = await (await client.post("/projects", json={"name": "Customer 7"})).json()
    path = f"/projects/{project['projectId']}"
    assert await (await client.get(path)).json() == project
    assert (await (await client.patch(path, json={"name": "Customer 8"})).json())["name"] == "Customer 8"
    names = [each["name"] for each in (await (await client.get("/projects?sortBy=name")).json())["data"]]
    assert names == ["Customer 8", "Default", "Other"]

    await problem(await client.get(path, headers=bearer(theirs)), 404, "resource-not-found", "projectId")
    mine = (await (await client.get("/projects", headers=bearer(theirs))).json())["data"]
    assert [each["name"] for each in mine] == ["Other"]
    own = f"/projects/{mine[0]['projectId']}"
    assert (await client.get(own, headers=bearer(theirs))).status == 200
    await problem(await client.delete(own, headers=bearer(theirs)), 403, "forbidden")
    await problem(await client.post("/projects", json={"name": "x"}, headers=bearer(theirs)), 403, "forbidden")


async def test_positions_of_events_go_on_after_a_projects_end(client: Client, database: Database) -> None:
    project = await (await client.post("/projects", json={"name": "Customer 7"})).json()
    async with database.read() as transaction:
        newest = await events.newest(transaction)

    assert (await client.delete(f"/projects/{project['projectId']}")).status == 204

    async with database.read() as transaction:
        (told,) = await events.after(transaction, newest, 10)
    assert (told.type, told.project_id) == ("project.deleted", DEFAULT_PROJECT)
    assert told.payload == {"projectId": project["projectId"], "name": "Customer 7"}


async def test_only_an_empty_project_is_deleted(client: Client, database: Database) -> None:
    project = await (await client.post("/projects", json={"name": "Customer 7"})).json()
    path = f"/projects/{project['projectId']}"
    secret = (await make(client, projectId=project["projectId"], scopes=["*"]))["secret"]
    video = await (await client.post("/videos", json={"title": "A"}, headers=bearer(secret))).json()
    refused = await problem(await client.delete(path), 409, "conflict")
    assert refused["detail"] == "The project still has videos."

    await client.delete(f"/videos/{video['videoId']}", headers=bearer(secret))
    async with database.write() as transaction:
        job = await jobs.add(transaction, project["projectId"], "erase", video["videoId"])
        await imports.add(transaction, project["projectId"], "digest", [{"url": "http://a.example/"}])
    refused = await problem(await client.delete(path), 409, "conflict")
    assert refused["detail"] == "The project still has jobs under way."
    async with database.write() as transaction:
        for id in await jobs.unfinished_of(transaction, job.object_id):
            row = await jobs.locked(transaction, id)
            assert row
            row.finished_at = clock.now()

    assert (await client.delete(path)).status == 204
    assert await status(client, secret) == 401
    await problem(await client.get(path), 404, "resource-not-found", "projectId")
    await problem(await client.delete(f"/projects/{DEFAULT_PROJECT}"), 409, "conflict")
