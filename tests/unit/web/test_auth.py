"""Who may call: every form of credential, good and bad."""

from datetime import timedelta

import jwt
import pytest

from server import clock
from server.catalog import keys
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.errors import Problem
from server.web.auth import ACCESS_TTL_S, KEY_TTL_S, LEEWAY_S, REFRESH_TTL_S, Caller, Credentials
from tests.unit.web.kit import OWNER_KEY, SECRET, Client, basic, bearer, problem


class Clock:
    def __init__(self) -> None:
        self.s = 1_800_000_000.0

    def wall_ms(self) -> int:
        return int(self.s * 1000)

    def monotonic(self) -> float:
        return self.s


@pytest.fixture
def hands() -> Clock:
    return Clock()


@pytest.fixture
def credentials(database: Database, hands: Clock) -> Credentials:
    return Credentials(database, SECRET, hands.wall_ms, hands.monotonic)


async def code_of(credentials: Credentials, headers: dict[str, str]) -> str:
    with pytest.raises(Problem) as caught:
        await credentials.caller(headers)
    assert caught.value.row.status == 401
    return caught.value.code


async def test_the_three_forms_name_the_same_caller(credentials: Credentials) -> None:
    pair = await credentials.exchange(OWNER_KEY)

    callers = [
        await credentials.caller(headers)
        for headers in (basic(OWNER_KEY + ":"), bearer(OWNER_KEY), bearer(pair.access_token))
    ]

    assert len(set(callers)) == 1
    assert callers[0].project_id == DEFAULT_PROJECT


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
async def test_the_scheme_is_case_insensitive(credentials: Credentials, scheme: str) -> None:
    value = basic(OWNER_KEY + ":")["Authorization"].replace("Basic", scheme)

    assert await credentials.caller({"Authorization": value})


MISSING = "authentication-missing-authorization-header"
BAD_VALUE = "authentication-invalid-authorization-header-value"
BAD_KEY = "authentication-invalid-api-key"
BAD_TOKEN = "authentication-invalid-access-token"

REFUSED = [
    ({}, MISSING),
    ({"Authorization": ""}, MISSING),
    ({"Authorization": "Basic"}, BAD_VALUE),
    ({"Authorization": "Bearer "}, BAD_VALUE),
    ({"Authorization": OWNER_KEY}, BAD_VALUE),
    ({"Authorization": f"Digest {OWNER_KEY}"}, BAD_VALUE),
    ({"Authorization": "Bearer " + "x" * 3000}, BAD_VALUE),
    ({"Authorization": "Basic not-base64!"}, BAD_VALUE),
    ({"Authorization": "Basic /w=="}, BAD_VALUE),  # not UTF-8
    ({"Authorization": "Bearer \udcff\udcfe"}, BAD_VALUE),  # nor this
    ({"Authorization": "Bearer \udcff.a.b"}, BAD_VALUE),
    ({"Authorization": "Basic \udcff"}, BAD_VALUE),
    (basic(OWNER_KEY), BAD_VALUE),
    (basic(":"), BAD_VALUE),
    (basic(":" + OWNER_KEY), BAD_VALUE),
    (basic(OWNER_KEY + ":password"), BAD_VALUE),
    (basic("wrong:"), BAD_KEY),
    (basic("\x00:"), BAD_KEY),
    (bearer("wrong"), BAD_KEY),
    (bearer("a.b.c"), BAD_TOKEN),
    (bearer(".."), BAD_TOKEN),
]


@pytest.mark.parametrize(("headers", "code"), REFUSED)
async def test_bad_credentials(credentials: Credentials, headers: dict[str, str], code: str) -> None:
    assert await code_of(credentials, headers) == code


async def test_access_tokens_end_after_an_hour(credentials: Credentials, hands: Clock) -> None:
    pair = await credentials.exchange(OWNER_KEY)
    assert pair.expires_in == 3600

    hands.s += ACCESS_TTL_S + LEEWAY_S - 1
    await credentials.caller(bearer(pair.access_token))
    hands.s += 1

    assert await code_of(credentials, bearer(pair.access_token)) == BAD_TOKEN


async def test_a_refresh_token_is_no_access_token_and_the_other_way_round(credentials: Credentials) -> None:
    pair = await credentials.exchange(OWNER_KEY)

    assert await code_of(credentials, bearer(pair.refresh_token)) == BAD_TOKEN
    with pytest.raises(Problem, match="refresh-token"):
        await credentials.refresh(pair.access_token)


async def test_refresh_tokens_work_for_weeks_and_again(credentials: Credentials, hands: Clock) -> None:
    pair = await credentials.exchange(OWNER_KEY)
    hands.s += REFRESH_TTL_S - 1

    for _ in range(2):
        fresh = await credentials.refresh(pair.refresh_token)
        await credentials.caller(bearer(fresh.access_token))
    hands.s += 1 + LEEWAY_S

    with pytest.raises(Problem, match="refresh-token"):
        await credentials.refresh(pair.refresh_token)


def forged(**changes: object) -> str:
    claims = {"sub": "key_x", "aud": "api", "exp": 1_800_003_600, **changes}
    return jwt.encode(claims, SECRET, "HS256")


async def test_the_playback_secret_itself_signs_no_calls(credentials: Credentials, database: Database) -> None:
    async with database.read() as transaction:
        owner = await keys.by_secret(transaction, OWNER_KEY)
    assert owner

    assert await code_of(credentials, bearer(forged(sub=owner.id))) == BAD_TOKEN


@pytest.mark.parametrize("algorithm", ["none", "HS512"])
async def test_the_algorithm_is_pinned(credentials: Credentials, algorithm: str) -> None:
    key = "" if algorithm == "none" else credentials._secret * 2
    claims = {"sub": "key_x", "aud": "api", "exp": 1_800_003_600}

    assert await code_of(credentials, bearer(jwt.encode(claims, key, algorithm))) == BAD_TOKEN


@pytest.mark.parametrize("changes", [{"exp": 1_900_000_000.5}, {"exp": "1900000000"}, {"sub": 7}, {"aud": ["x"]}])
async def test_claims_of_wrong_kinds(credentials: Credentials, changes: dict[str, object]) -> None:
    claims = {"sub": "key_x", "aud": "api", "exp": 1_800_003_600, **changes}
    options = {} if isinstance(claims["sub"], str) else {"headers": None}
    try:
        token = jwt.encode(claims, credentials._secret, "HS256", **options)  # type: ignore[arg-type]
    except TypeError:
        return  # the library signs no such thing at all

    assert await code_of(credentials, bearer(token)) == BAD_TOKEN


async def test_a_revoked_key_and_its_tokens_are_refused_at_once(credentials: Credentials, database: Database) -> None:
    database.on_commit(credentials.forget)
    pair = await credentials.exchange(OWNER_KEY)
    await credentials.caller(basic(OWNER_KEY + ":"))
    await credentials.caller(bearer(pair.access_token))

    async with database.write() as transaction:
        key = await keys.by_secret(transaction, OWNER_KEY)
        assert key
        key.revoked_at = clock.now()

    assert await code_of(credentials, basic(OWNER_KEY + ":")) == BAD_KEY
    assert await code_of(credentials, bearer(pair.access_token)) == BAD_TOKEN
    with pytest.raises(Problem, match="refresh-token"):
        await credentials.refresh(pair.refresh_token)


async def test_another_processes_revocation_counts_in_seconds(
    credentials: Credentials, database: Database, hands: Clock
) -> None:
    await credentials.caller(bearer(OWNER_KEY))
    async with database.write() as transaction:
        key = await keys.by_secret(transaction, OWNER_KEY)
        assert key
        key.revoked_at = clock.now()
    await credentials.caller(bearer(OWNER_KEY))  # still remembered

    hands.s += KEY_TTL_S

    assert await code_of(credentials, bearer(OWNER_KEY)) == BAD_KEY


async def test_a_key_ends_also_while_it_is_remembered(database: Database, hands: Clock) -> None:
    hands.s = clock.now().timestamp()
    credentials = Credentials(database, SECRET, hands.wall_ms, lambda: 0.0)
    async with database.write() as transaction:
        ends = clock.now() + timedelta(seconds=30)
        await keys.create(transaction, DEFAULT_PROJECT, "brief", ["*"], "brief-key", ends)
    await credentials.caller(bearer("brief-key"))

    hands.s += 31

    assert await code_of(credentials, bearer("brief-key")) == BAD_KEY


async def test_the_second_call_asks_no_database(credentials: Credentials, database: Database) -> None:
    await credentials.caller(bearer(OWNER_KEY))
    await database.engine.dispose()
    credentials._database = None  # type: ignore[assignment]

    assert await credentials.caller(bearer(OWNER_KEY))


@pytest.mark.parametrize(
    ("scopes", "wanted", "may"),
    [
        (["*"], "videos:write", True),
        (["videos:write"], "videos:write", True),
        (["videos:read"], "videos:write", False),
        (["videos:*"], "videos:write", True),
        (["live-streams:*"], "videos:write", False),
        (["*:read"], "videos:read", True),
        (["*:read"], "videos:write", False),
        ([], "videos:read", False),
    ],
)
def test_scopes(scopes: list[str], wanted: str, may: bool) -> None:
    assert Caller("pr1", "key_1", frozenset(scopes)).may(wanted) is may


async def test_a_missing_scope_is_403(client: Client, database: Database) -> None:
    async with database.write() as transaction:
        await keys.create(transaction, DEFAULT_PROJECT, "reader", ["videos:read"], "reader-key")

    async with client.get("/videos", headers=basic("reader-key:")) as response:
        assert response.status == 200
    async with client.post("/videos", json={"title": "x"}, headers=basic("reader-key:")) as response:
        body = await problem(response, 403, "forbidden")
    assert "videos:write" in body["detail"]


async def test_a_401_challenges(anonymous: Client) -> None:
    async with anonymous.get("/videos") as response:
        await problem(response, 401, MISSING)
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="Sluice"'


async def test_credentials_come_before_the_body_and_the_id(anonymous: Client) -> None:
    async with anonymous.patch("/videos/nonsense", data=b"{not json") as response:
        await problem(response, 401, MISSING)
