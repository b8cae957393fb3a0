"""Programs of others that may act for people, and what people have allowed them."""

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from server import clock
from server.catalog import oauth_apps, oauth_grants
from server.catalog.database import Transaction
from server.catalog.oauth_models import OAuthApp, OAuthGrant
from server.errors import Problem
from server.web import scopes as table
from server.web.api.api_keys import Scopes
from server.web.auth import GRANT_TTL_S, epoch_of
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.services import Services
from server.web.shapes import ABSENT, Answer, Body, Changes, Moment, Text
from server.web.typed import Call, Operations

MOST = 100  # of a project
URIS_LIMIT = 20
AT_ONCE = 100  # grants that are looked at in one transaction, some tens of milliseconds
LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
REVOKED, REUSED, APP_GONE, APP_CHANGED = "revoked", "reused", "app-deleted", "app-changed"  # why a grant ended
KEPT = timedelta(seconds=GRANT_TTL_S + 60)  # its last access token has ended by then

operations = Operations("OAuth apps")


def _redirect_uri(text: str) -> str:
    """Raises PydanticCustomError. Programs on a phone or desk have schemes of their own (RFC 8252, section 7.1)."""
    try:
        found = urlsplit(text)
        host = found.hostname
    except ValueError:
        found, host = urlsplit(""), None
    web = found.scheme == "https" or (found.scheme == "http" and host in LOOPBACK)
    own = "." in found.scheme and not found.netloc
    if not text.isascii() or not text.isprintable() or " " in text or found.fragment or not (own or (web and host)):
        raise PydanticCustomError("redirect_uri", "Give an https URL, http on this machine, or com.example.app:/path.")
    return text


Name = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
RedirectUri = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500),
    AfterValidator(_redirect_uri),
    Field(examples=["https://app.example.com/callback"]),
]


AppName = Annotated[Name, Field(description="As people are asked about it.")]
RedirectUris = Annotated[
    list[RedirectUri], Field(min_length=1, max_length=URIS_LIMIT, description="Compared character by character.")
]


class AppCreation(Body):
    name: AppName
    redirect_uris: RedirectUris
    scopes: Annotated[Scopes, Field(description="The most that it may ask for.")]
    confidential: Annotated[
        bool, Field(description="Whether it can keep a secret: programs on phones and in pages can't.")
    ] = False


class AppChanges(Changes):
    """What is not there stays as it is."""

    name: AppName = ABSENT
    redirect_uris: RedirectUris = ABSENT
    scopes: Annotated[Scopes, Field(description="The most that it may ask for, and have.")] = ABSENT


class AppAnswer(Answer):
    app_id: Annotated[str, Field(description="The `client_id`.", examples=["app_3wNhx2mPzXcVbT6sYqR9dK"])]
    name: str
    redirect_uris: list[str] = Field(examples=[["https://app.example.com/callback"]])
    scopes: list[str]
    confidential: bool
    created_at: Moment
    updated_at: Moment


class AppSecret(AppAnswer):
    client_secret: Annotated[str | None, Field(description="It is shown only now; null of one that can't keep any.")]


class AppList(Answer):
    data: list[AppAnswer]
    pagination: Pagination


class AppQuery(PageQuery):
    sort_by: Literal["createdAt", "name"] | None = None


class GrantAnswer(Answer):
    grant_id: Annotated[str, Field(examples=["grant_3wNhx2mPzXcVbT6sYqR9dK"])]
    app_id: Annotated[str, Field(examples=["app_3wNhx2mPzXcVbT6sYqR9dK"])]
    api_key_id: Annotated[str, Field(description="Whose holder allowed it.")]
    scopes: list[str]
    created_at: Moment
    used_at: Annotated[Moment | None, Field(description="When it had a token the last time.")]
    expires_at: Annotated[Moment, Field(description="Unless it has another token by then.")]


class GrantList(Answer):
    data: list[GrantAnswer]
    pagination: Pagination


class GrantQuery(PageQuery):
    sort_by: Literal["createdAt"] | None = None


@operations.post(
    "/oauth/apps",
    "Register an OAuth app",
    scope="oauth-apps:write",
    status=201,
    errors=("conflict",),
    example={"name": "Cutter", "redirectUris": ["https://app.example.com/callback"], "scopes": ["videos:read"]},
)
async def create(call: Call, body: AppCreation) -> AppSecret:
    """A program of others that may ask people to let it act for them, by `GET /oauth/authorize` with PKCE. Holders of
    keys of the same project can; those of every project, where it is registered in the default one."""
    row = OAuthApp(
        project_id=call.project_id, name=body.name, redirect_uris=body.redirect_uris, scopes=body.scopes,
        confidential=body.confidential,
    )  # fmt: skip
    async with call.services.database.write() as transaction:
        if await oauth_apps.count(transaction, call.project_id) >= MOST:
            raise Problem("conflict", f"A project has {MOST} OAuth apps at most.")
        secret = await oauth_apps.add(transaction, row)
    return AppSecret(**_answer(row).model_dump(by_alias=False), client_secret=secret)


@operations.get("/oauth/apps", "List OAuth apps", scope="oauth-apps:read")
async def list_all(call: Call, query: AppQuery) -> AppList:
    """Newest first unless sorted; without secrets, which nobody can read any more."""
    async with call.services.database.read() as transaction:
        page = await oauth_apps.page(transaction, call.project_id, query.paging(query.sort_by))
    return AppList(data=[_answer(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get("/oauth/apps/{appId}", "Show an OAuth app", scope="oauth-apps:read")
async def show(call: Call, app_id: str) -> AppAnswer:
    """Where it may redirect to, and what it may ask for."""
    async with call.services.database.read() as transaction:
        return _answer(await _find(transaction, call, app_id))


@operations.patch(
    "/oauth/apps/{appId}", "Change an OAuth app", scope="oauth-apps:write", example={"scopes": ["videos:read"]}
)
async def change(call: Call, app_id: str, body: AppChanges) -> AppAnswer:
    """With fewer scopes it also has fewer of those that people have allowed it, at once; where none is left, that is
    revoked. All access tokens that it has then are good no more: its refresh tokens give it others. More scopes have to
    be allowed anew. Codes on their way to a URI that is no more are good no more. A call that broke off is made again:
    what it had not come to is done then, and opened nothing meanwhile."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, app_id)
        given = {name: getattr(body, name) for name in body.model_fields_set}
        changed = {name: value for name, value in given.items() if getattr(row, name) != value}
        if table.common(row.scopes, changed.get("scopes", row.scopes)) != row.scopes:
            epoch = epoch_of(row.id, await oauth_apps.narrowed(transaction, row))
            await call.services.revocations.add_within(transaction, row.project_id, epoch, KEPT)
        for name, value in changed.items():
            setattr(row, name, value)
        if changed:
            await oauth_apps.changed(transaction, row)
    if not body.model_fields_set.isdisjoint(("scopes", "redirect_uris")):
        await _hold_all(call, row.id)
    return _answer(row)


async def _hold_all(call: Call, app_id: str) -> None:
    """To what the app may have now, some at a time, so that others write in between. Until its turn has come a grant
    gives no token with more than that (`oauth.token`)."""
    last: str | None = ""
    while last is not None:
        async with call.services.database.write() as transaction:
            app = await oauth_apps.find(transaction, app_id)
            grants = await oauth_grants.of_app(transaction, app_id, AT_ONCE, last) if app is not None else []
            last = grants[-1].id if len(grants) == AT_ONCE else None
            for grant in grants:
                assert app is not None  # or it has none
                await _held_to(transaction, call.services, grant, app)


async def _held_to(transaction: Transaction, services: Services, grant: OAuthGrant, app: OAuthApp) -> None:
    """To what the app may have now."""
    left = list(grant.scopes)
    if not set(left) <= set(app.scopes):  # which is found sooner
        left = table.common(left, app.scopes)
    on_its_way = not grant.refresh_number and grant.redirect_uri not in app.redirect_uris
    if not left or on_its_way:
        await end(transaction, services, grant, APP_CHANGED)
    elif left != grant.scopes:
        await oauth_grants.narrow(transaction, grant, left)


@operations.post(
    "/oauth/apps/{appId}/rotate", "Rotate an OAuth app's secret", scope="oauth-apps:write", errors=("conflict",)
)
async def rotate(call: Call, app_id: str) -> AppSecret:
    """A new secret; the old one is good no more."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, app_id)
        if not row.confidential:
            raise Problem("conflict", "The app has no secret.")
        secret = await oauth_apps.rotate(transaction, row)
    return AppSecret(**_answer(row).model_dump(by_alias=False), client_secret=secret)


@operations.delete("/oauth/apps/{appId}", "Delete an OAuth app", scope="oauth-apps:write", status=204)
async def delete(call: Call, app_id: str) -> None:
    """And all that people have allowed it."""
    left = True
    while left:
        async with call.services.database.write() as transaction:
            row = await _find(transaction, call, app_id)
            grants = await oauth_grants.of_app(transaction, row.id, AT_ONCE)
            for grant in grants:
                await end(transaction, call.services, grant, APP_GONE)
            left = len(grants) == AT_ONCE
            if not left:
                await oauth_apps.remove(transaction, row)


@operations.get("/oauth/grants", "List what OAuth apps were allowed", scope="oauth-grants:read")
async def list_grants(call: Call, query: GrantQuery) -> GrantList:
    """By holders of keys of the project; newest first unless sorted."""
    async with call.services.database.read() as transaction:
        page = await oauth_grants.page(transaction, call.project_id, query.paging(query.sort_by), clock.now())
    return GrantList(data=[_grant(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.delete("/oauth/grants/{grantId}", "Revoke what an OAuth app was allowed", scope="oauth-grants:delete",
                   status=204)  # fmt: skip
async def revoke(call: Call, grant_id: str) -> None:
    """Its tokens are good no more."""
    async with call.services.database.write() as transaction:
        row = await oauth_grants.get(transaction, call.project_id, grant_id)
        if row is None:
            raise Problem("resource-not-found", name="grantId")
        await end(transaction, call.services, row, REVOKED)


async def end(transaction: Transaction, services: Services, row: OAuthGrant, reason: str) -> None:
    """Neither its refresh tokens nor its access tokens are good any more."""
    await services.revocations.add_within(transaction, row.project_id, row.id, KEPT)
    await oauth_grants.remove(transaction, row, reason)


async def _find(transaction: Transaction, call: Call, app_id: str) -> OAuthApp:
    """Raises Problem."""
    row = await oauth_apps.get(transaction, call.project_id, app_id)
    if row is None:
        raise Problem("resource-not-found", name="appId")
    return row


def _answer(row: OAuthApp) -> AppAnswer:
    return AppAnswer(
        app_id=row.id,
        name=row.name,
        redirect_uris=[str(uri) for uri in row.redirect_uris],
        scopes=[str(scope) for scope in row.scopes],
        confidential=row.confidential,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _grant(row: OAuthGrant) -> GrantAnswer:
    return GrantAnswer(
        grant_id=row.id,
        app_id=row.app_id,
        api_key_id=row.key_id,
        scopes=[str(scope) for scope in row.scopes],
        created_at=row.created_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
    )
