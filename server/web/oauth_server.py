"""The authorization code grant with PKCE (RFC 6749, RFC 7636), as Authlib decides it.

Rows go in and an answer comes out: whoever calls has read what there is of the client and the code, and writes down
what was decided. Nothing here waits.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge

from server.catalog.keys import hashed
from server.catalog.oauth_models import OAuthApp, OAuthGrant
from server.web import scopes

S256 = "S256"
CODE, REFRESH = "authorization_code", "refresh_token"
CODE_BYTES = 32
AUTHENTICATIONS = ["client_secret_basic", "client_secret_post", "none"]
ANYWHERE = "https://server.invalid/"  # Authlib wants to see a URL of its own server, and that it is safe

Answer = tuple[int, Any, Sequence[tuple[str, str]]]
Mint = Callable[[Sequence[str]], Mapping[str, Any]]  # scopes -> the members of an answer with tokens

__all__ = ["CODE", "REFRESH", "Conversation", "OAuth2Error"]


class _Request(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, method: str, given: Mapping[str, str], headers: Mapping[str, str]) -> None:
        super().__init__(method, ANYWHERE, headers=dict(headers))
        self.payload = BasicOAuth2Payload(dict(given))

    @property
    def args(self) -> Mapping[str, str]:
        return self.payload.data  # type: ignore[no-any-return]

    form = args


class _Client(ClientMixin):  # type: ignore[misc]
    """A program as Authlib asks for it."""

    def __init__(self, row: OAuthApp) -> None:
        self.row = row

    def get_client_id(self) -> str:
        return self.row.id

    def get_default_redirect_uri(self) -> None:
        return None  # it is always said

    def get_allowed_scope(self, scope: str | None) -> str | None:
        wanted = (scope or "").split() or [str(each) for each in self.row.scopes]
        known = scopes.names()
        if all(each in known and scopes.allow(map(str, self.row.scopes), each) for each in wanted):
            return " ".join(dict.fromkeys(wanted))
        return None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.row.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        own = self.row.secret_hash
        return own is not None and secrets.compare_digest(own, hashed(client_secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return (method == "none") is not self.row.confidential

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in (CODE, REFRESH)


class _Granted:
    """What a code or a refresh token stands for."""

    code_challenge_method = S256

    def __init__(self, row: OAuthGrant, most: Sequence[str]) -> None:
        """`most`: the scopes that its app may have now, to which the row may not have been held yet."""
        self.row = row
        self.scopes = scopes.common([str(each) for each in row.scopes], most)
        self.code_challenge = row.code_challenge

    def get_redirect_uri(self) -> str:
        return self.row.redirect_uri

    def get_scope(self) -> str:
        return " ".join(self.scopes)

    def check_client(self, client: _Client) -> bool:
        return bool(self.row.app_id == client.row.id)


class _Challenge(CodeChallenge):  # type: ignore[misc]
    """Asked of every client, and by S256 alone."""

    SUPPORTED_CODE_CHALLENGE_METHOD = (S256,)
    DEFAULT_CODE_CHALLENGE_METHOD = S256

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        given = grant.request.payload.data
        if not given.get("code_challenge") or given.get("code_challenge_method") != S256:
            raise InvalidRequestError("A code_challenge of the method S256 is needed.")
        super().validate_code_challenge(grant, redirect_uri)


class _CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = AUTHENTICATIONS

    def generate_authorization_code(self) -> str:
        return secrets.token_urlsafe(CODE_BYTES)

    def save_authorization_code(self, code: str, request: _Request) -> None:
        self.server.code = code

    def query_authorization_code(self, code: str, client: _Client) -> _Granted | None:
        granted: _Granted | None = self.server.granted
        return granted if granted is not None and granted.check_client(client) else None

    def delete_authorization_code(self, authorization_code: _Granted) -> None:
        """The number of its refresh token says that it was used."""

    def authenticate_user(self, authorization_code: _Granted) -> str:
        return authorization_code.row.key_id


class _RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = AUTHENTICATIONS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> _Granted | None:
        granted: _Granted | None = self.server.granted
        return granted

    def authenticate_user(self, refresh_token: _Granted) -> str:
        return refresh_token.row.key_id

    def revoke_old_credential(self, refresh_token: _Granted) -> None:
        """The number of the new one says so."""


class Conversation(AuthorizationServer):  # type: ignore[misc]
    """One request. `grant` is what its code or refresh token stands for, if that is good."""

    def __init__(self, app: OAuthApp | None, grant: OAuthGrant | None = None, mint: Mint | None = None) -> None:
        super().__init__()
        self.client = _Client(app) if app else None
        self.granted = _Granted(grant, [str(each) for each in app.scopes]) if app and grant else None
        self.code = ""
        self.register_grant(_CodeGrant, [_Challenge(required=True)])
        self.register_grant(_RefreshGrant)
        if mint is not None:
            self.register_token_generator("default", lambda scope, **_: dict(mint(scope.split())))

    def asked(self, given: Mapping[str, str]) -> tuple[str, list[str]]:
        """(where to redirect, scopes) of a request for consent. Raises OAuth2Error; with its `redirect_uri` it is the
        program's affair, without it the person's."""
        request = _Request("GET", given, {})
        self.get_consent_grant(request)
        return str(given["redirect_uri"]), str(request.scope).split()

    def allowed(self, given: Mapping[str, str], key_id: str) -> tuple[str, str]:
        """(where to redirect, the code in it). Raises OAuth2Error."""
        grant = self.get_consent_grant(_Request("GET", given, {}))
        _, _, headers = grant.create_authorization_response(given["redirect_uri"], key_id)
        return str(dict(headers)["Location"]), self.code

    def token(self, form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
        """(status, members of the answer)."""
        status, body, _ = self.create_token_response(_Request("POST", form, headers))
        return status, body

    # --- what Authlib asks for

    def query_client(self, client_id: str) -> _Client | None:
        return self.client if self.client is not None and self.client.row.id == client_id else None

    def save_token(self, token: Mapping[str, Any], request: _Request) -> None:
        """Whoever called writes it down."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        return status, body, headers
