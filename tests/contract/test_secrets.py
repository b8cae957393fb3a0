"""No secret is in a list, an event, the audit log, a delivery, a log file or a metric.

One server makes every kind of secret there is, is called with each of them well and badly, and is then searched whole.
Stream keys, keys of restreams and passphrases are shown to their owner in the live stream itself, upload tokens in the
upload token, and what a webhook is signed with in that webhook alone (DESIGN, section 4): SHOWN says where.
"""

import base64
import hashlib
import html
import re
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.contract.things import form
from tests.harness.endpoint import Endpoint, listening
from tests.harness.media import clip
from tests.harness.publisher import Publisher, publishing
from tests.harness.server import OWNER_KEY, Server, until

pytestmark = pytest.mark.server
OWN_SERVER = {"SLUICE_LOG__LEVEL": "debug", "SLUICE_WEBHOOKS__ALLOW": '["127.0.0.1"]'}

OF_LIVE_STREAM = re.compile(r"^(/live-streams|/v2/live/events)(\?|/|$)")
OF_FILE_REQUEST = re.compile(r"^/v1/file-requests")
# kind of secret -> paths of GETs that show it to its owner
SHOWN: Mapping[str, re.Pattern[str]] = {
    "stream key": OF_LIVE_STREAM,
    "backup stream key": OF_LIVE_STREAM,
    "restream key": OF_LIVE_STREAM,
    "restream key of its own": OF_LIVE_STREAM,
    "passphrase": OF_LIVE_STREAM,
    "stream key of an event": OF_LIVE_STREAM,
    "restream key of an event": OF_LIVE_STREAM,
    "link of a file request": OF_FILE_REQUEST,
    "upload token": re.compile(r"^/upload-tokens"),
    "token of a file request": re.compile(r"^/upload-tokens"),
    "webhook secret": re.compile(r"^/webhooks/[^/?]+$"),
    "rotated webhook secret": re.compile(r"^/webhooks/[^/?]+$"),
}
URL_LOGIN = "urlpassword-5Jm2Y8kQ"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
KINESCOPE_DOCUMENT = "/v1/openapi.json"
IDS_OF_A_KIND = 20


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with listening(Endpoint()) as listens:
        yield listens


@pytest.fixture(scope="module")
def secrets(own_server: Server, endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Of each kind one, by what it is, once all has happened that happens with them."""
    webhook = own_server.api("POST", "/webhooks", {
        "url": endpoint.url, "events": ["*"], "format": "native", "login": "hook", "password": "webhookpassword-7dK2",
    })  # fmt: skip
    found = {
        **keys(own_server), **programs(own_server), **tokens(own_server), **of_the_other_dialect(own_server),
        **streams(own_server, tmp_path_factory.mktemp("clips")),
        "owner key": OWNER_KEY,
        "webhook secret": webhook["signatureSecret"],
        "webhook password": "webhookpassword-7dK2",
        "password in a URL": URL_LOGIN,
    }  # fmt: skip
    path = f"/webhooks/{webhook['webhookId']}"
    found["rotated webhook secret"] = own_server.api("POST", f"{path}/rotate-secret", {})["signatureSecret"]
    delivery = own_server.api("POST", f"{path}/ping", {})["deliveryId"]
    until(lambda: own_server.api("GET", f"{path}/deliveries/{delivery}")["state"] == "delivered")
    fetch_with_login(own_server)
    misuse(own_server, found)
    return found


def keys(server: Server) -> dict[str, str]:
    """API keys, and what is had for them."""
    key = server.api("POST", "/api-keys", {"name": "one", "scopes": ["*"]})
    found = {"API key": key["secret"]}
    pair = server.call("POST", "/auth/api-key", {"apiKey": key["secret"]}, key=None).json()
    refreshed = server.call("POST", "/auth/refresh", {"refreshToken": pair["refresh_token"]}, key=None).json()
    sent = {"grant_type": "client_credentials", "client_id": key["apiKeyId"], "client_secret": key["secret"]}
    oauth = server.call("POST", "/oauth/token", urlencode(sent).encode(), key=None, headers=FORM)
    assert oauth.status == 200, oauth.text
    found |= {
        "access token": pair["access_token"], "refresh token": pair["refresh_token"],
        "refreshed token": refreshed["access_token"], "OAuth token": oauth.json()["access_token"],
    }  # fmt: skip
    rotated = server.call("POST", f"/api-keys/{key['apiKeyId']}/rotate", {"overlap": 60}, key=found["API key"])
    found["rotated API key"] = rotated.json()["secret"]
    again = {"Idempotency-Key": "idempotencykey-9xQ2"}
    for _ in range(2):
        made = server.call("POST", "/api-keys", {"name": "two", "scopes": ["videos:read"]}, headers=again)
    found["API key made twice"] = made.json()["secret"]
    return found


def programs(server: Server) -> dict[str, str]:
    """What a program gets that acts for somebody, and the private half of a signing key."""
    back, verifier = "https://app.invalid/back", "verifier-" + "7hQ" * 15
    app = server.api("POST", "/oauth/apps", {
        "name": "Cutter", "redirectUris": [back], "scopes": ["videos:read"], "confidential": True,
    })  # fmt: skip
    rotated = server.api("POST", f"/oauth/apps/{app['appId']}/rotate")["clientSecret"]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code", "client_id": app["appId"], "redirect_uri": back, "scope": "videos:read", "state": "s",
        "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    shown = re.search(r'name="shown" value="([^"]*)"', server.get(f"/oauth/authorize?{urlencode(asked)}").text)
    assert shown
    form = urlencode({**asked, "shown": html.unescape(shown[1]), "key": OWNER_KEY, "decision": "allow"})
    own = {**FORM, "Origin": server.http}
    led = server.call("POST", "/oauth/authorize", form.encode(), key=None, headers=own)
    code = parse_qs(urlsplit(led.headers["Location"]).query)["code"][0]
    client = {"client_id": app["appId"], "client_secret": rotated}
    sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier, **client}
    pair = server.call("POST", "/oauth/token", urlencode(sent).encode(), key=None, headers=FORM).json()
    assert server.call("POST", "/oauth/allowed", urlencode({"key": OWNER_KEY}).encode(), headers=own).status == 200
    private = server.api("POST", "/signing-keys", {"algorithm": "ES256"})["privateKey"]
    return {
        "app's secret": app["clientSecret"], "rotated app's secret": rotated, "code": code, "verifier": verifier,
        "program's access token": pair["access_token"], "program's refresh token": pair["refresh_token"],
        "private key": private.splitlines()[1],
    }  # fmt: skip


def of_the_other_dialect(server: Server) -> dict[str, str]:
    """Kinescope's: logins that are sent to others, links that open uploads, and keys of its own kinds."""
    login = {"login": "hook", "password": "kinescopepassword-3vNc"}
    server.api("POST", "/v1/webhooks", {
        "name": "a", "endpoint": "https://hooks.invalid/", "events": ["media.update.status"], **login,
    })  # fmt: skip
    server.api("PUT", "/v1/drm/auth", {
        "url": "https://drm.invalid/", "username": "drm", "password": "drmpassword-8wXa", "strict": True,
    })  # fmt: skip
    token = server.api("POST", "/v1/access-tokens", {
        "name": "a", "scope": {"upload": {"permissions": ["write"]}},
    })["data"]["token"]  # fmt: skip
    link = server.api("POST", "/v1/file-requests", {"title": "Yours"})["data"]["link"]
    page = re.search(r'data-token="([^"]+)"', server.get(link.removeprefix(server.http)).text)
    assert page
    event = server.api("POST", "/v2/live/events", {"name": "a", "type": "one-time"})["data"]
    server.api("POST", f"/v2/live/events/{event['id']}/restreams", {
        "name": "r", "url": "rtmp://127.0.0.1:9/live", "key": "eventrestreamkey-6tLz", "enabled": False,
    })  # fmt: skip
    begun = {"type": "video", "parent_id": server.api("GET", "/v1/projects")["data"][0]["id"], "title": "t",
             "filename": "a.mp4", "filesize": 5}  # fmt: skip
    endpoint = server.api("POST", "/v2/init", begun)["data"]["endpoint"]
    server.call("POST", endpoint, b"wrong", key=None)
    return {
        "Kinescope password": login["password"], "DRM password": "drmpassword-8wXa", "Kinescope token": token,
        "link of a file request": link.rpartition("/")[2], "token of a file request": page[1],
        "stream key of an event": event["streamkey"], "restream key of an event": "eventrestreamkey-6tLz",
        "upload endpoint": endpoint.rpartition("/")[2],
    }  # fmt: skip


def tokens(server: Server) -> dict[str, str]:
    """What opens uploads and playback."""
    upload = server.api("POST", "/upload-tokens", {"ttl": 600})["token"]
    video = server.api("POST", "/videos", {"title": "private", "public": False})["videoId"]
    playback = server.api("POST", f"/videos/{video}/tokens", {"ttl": 600})["token"]
    server.get(f"/vod/{video}/token/{playback}/hls/manifest.m3u8")
    server.get(f"/vod/{video}/hls/manifest.m3u8?token={playback}")
    assert server.call("POST", f"/upload?token={upload}", key=None, **form("a.mp4", b"12345")).status == 201
    made = server.call("POST", "/tus", b"", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5"})
    assert made.status == 201, made.text
    tus = made.headers["Location"].rpartition("/")[2]
    session = server.api("POST", "/upload-sessions", {})["url"]
    sent = server.call("PUT", session.removeprefix(server.http), b"12345", key=None)
    assert sent.status == 201, sent.text
    return {
        "upload token": upload, "playback token": playback, "tus upload": tus,
        "upload session": session.rpartition("/")[2],
    }  # fmt: skip


def streams(server: Server, folder: Path) -> dict[str, str]:
    """A live stream that is published, and passed on to where nobody is."""
    target = {"name": "a", "serverUrl": "rtmp://127.0.0.1:9/live", "streamKey": "restreamkey-4LpRd"}
    live = server.live_stream(restreams=[target], srtPassphrase="passphrase-2cZQk9TnW8", public=False)
    path = f"/live-streams/{live['liveStreamId']}"
    server.api("POST", f"{path}/restreams", {**target, "streamKey": "ownrestreamkey-8sHqv"})
    backup = server.api("POST", f"{path}/reset-backup-stream-key")["backupStreamKey"]
    token = server.api("POST", f"{path}/tokens", {})["token"]
    with publishing(clip(5), server.ingest_url(live)):
        until(lambda: server.api("GET", path)["broadcasting"])
        server.get(f"/live/{live['liveStreamId']}/token/{token}/{live['liveStreamId']}.m3u8")
    stranger = Publisher(clip(5), f"{server.rtmp}/{live['streamKey']}-of-a-stranger")
    stranger.wait(30)
    server.get(f"/live-streams?streamKey={live['streamKey']}")
    server.api("GET", f"/live-streams?streamKey={live['streamKey']}")
    return {
        "stream key": live["streamKey"], "backup stream key": backup, "restream key": "restreamkey-4LpRd",
        "restream key of its own": "ownrestreamkey-8sHqv", "passphrase": "passphrase-2cZQk9TnW8",
        "playback token of a live stream": token,
    }  # fmt: skip


def fetch_with_login(server: Server) -> None:
    """From an address that nobody may fetch from."""
    source = f"http://user:{URL_LOGIN}@127.0.0.1:9/a.mp4?signature={URL_LOGIN}"
    server.call("POST", "/videos", {"title": "fetched", "source": source})
    server.call("POST", "/webhooks", {"url": f"https://user:{URL_LOGIN}@hooks.invalid/", "events": ["video.created"]})
    server.call("POST", "/live-streams", {"name": "pulled", "sourceUrl": f"rtmp://user:{URL_LOGIN}@127.0.0.1:9/live/a"})


def misuse(server: Server, found: Mapping[str, str]) -> None:
    """Each where it does not belong: no error repeats it."""
    wrong: list[str] = []
    for kind, secret in found.items():
        text = quote(secret, safe="")
        basic = "Basic " + base64.b64encode(f"{secret}x:".encode()).decode()
        for answer in (
            server.call("GET", f"/videos?token={text}&access_token={text}"),
            server.call("GET", "/videos", key=None, headers={"Authorization": basic}),
            server.call("GET", "/v1/videos", key=None, headers={"Authorization": f"Bearer {secret}x"}),
            server.call("POST", "/auth/api-key", {"apiKey": secret + "x"}, key=None),
            server.call("POST", "/auth/refresh", {"refreshToken": secret + "x"}, key=None),
            server.call("POST", "/oauth/token", wrong_form(secret), key=None, headers=FORM),
            server.call("GET", f"/oauth/token?client_secret={text}&code={text}&refresh_token={text}&apiKey={text}"),
            server.get(f"/vod/vi1111111111111111111111/token/{text}/hls/manifest.m3u8"),
            server.get(f"/v2/upload/up1111111111111111111111/{text}"),
        ):
            wrong += [f"{kind}: {answer.text[:300]}"] if secret in answer.text else []
    every = list(found.values())
    for answer in (
        server.call("POST", "/upload-tokens", {"ttl": every}),
        server.call("POST", "/live-streams", {"name": every, "streamKey": every}),
        server.call("POST", "/v1/webhooks", {"name": every, "endpoint": "x", "password": every}),
        server.call("PUT", "/v1/drm/auth", {"url": "x", "password": every}),
        server.call("POST", "/v2/init", {"type": "video", "title": every}),
        server.get(f"/file-requests/{found['link of a file request']}x"),
    ):
        assert answer.status >= 400
        wrong += [f"{kind}: {answer.text[:300]}" for kind, secret in found.items() if secret in answer.text]
    assert wrong == []


def wrong_form(secret: str) -> bytes:
    """Of an app that nobody has registered."""
    given = dict.fromkeys(("code", "refresh_token", "client_secret", "token", "code_verifier"), secret)
    return urlencode({"grant_type": "refresh_token", "client_id": "app_6F1o9vqnoDu2EoQzb3MbPG", **given}).encode()


def found_in(text: str, secrets: Mapping[str, str], where: str) -> list[str]:
    shown = {kind for kind, paths in SHOWN.items() if paths.match(where)}
    return [f"{kind} in {where}" for kind, secret in secrets.items() if kind not in shown and secret in text]


def each_get(server: Server, document: str = "/openapi.json") -> Iterator[tuple[str, str]]:
    """(path, answer) of all that can be read with no more than the ids that lists tell."""
    paths = server.get(document).json()["paths"]
    plain = [path for path, methods in paths.items() if "get" in methods and "{" not in path]
    told = {path: server.call("GET", path).text for path in plain if not path.startswith("/docs")}
    yield from told.items()
    known: dict[str, set[str]] = {}
    for name, id in re.findall(r'"(\w*Id|id|token)":"([^"]+)"', "".join(told.values())):
        known.setdefault("uploadToken" if name == "token" else name, set()).add(id)
    # in the other dialect ids do not say of what they are: the first of each list
    others = {found[1] for text in told.values() if (found := re.search(r'"id":"([^"]+)"', text))}
    for path, methods in paths.items():
        names = re.findall(r"{(\w+)}", path)
        if "get" in methods and len(names) == 1:
            for id in sorted(known.get(names[0], others))[:IDS_OF_A_KIND]:
                asked = path.replace(f"{{{names[0]}}}", quote(id, safe=""))
                answer = server.call("GET", asked)
                if answer.status == 200:
                    yield asked, answer.text


def listened(server: Server) -> str:
    """The feed of all events so far, as it is sent to who listens."""
    where = urlsplit(server.http)
    key = base64.b64encode(f"{OWNER_KEY}:".encode()).decode()
    known = [one["id"] for one in server.api("GET", "/events?limit=1000")["data"]]
    asked = (
        f"GET /events HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Basic {key}\r\nAccept: text/event-stream\r\n"
        f"Last-Event-ID: {known[0]}\r\n\r\n"
    )
    told, until_s = b"", time.monotonic() + 20
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(asked.encode())
        while known[-1].encode() not in told:
            told += connection.recv(1 << 16)
            assert time.monotonic() < until_s, told[-500:]
    return told.decode()


def test_nothing_that_can_be_read_tells_a_secret(own_server: Server, secrets: Mapping[str, str]) -> None:
    wrong, seen = [], 0
    for path, text in each_get(own_server):
        seen += 1
        wrong += found_in(text, secrets, path)
    for path, text in each_get(own_server, KINESCOPE_DOCUMENT):
        wrong += found_in(text, secrets, path)
    audit = [f"/audit?pageSize=100&currentPage={number}" for number in (1, 2, 3)]
    for path in ("/events?limit=1000", *audit, "/metrics", "/docs", "/openapi.json", KINESCOPE_DOCUMENT):
        wrong += found_in(own_server.call("GET", path).text, secrets, path)
    wrong += found_in(listened(own_server), secrets, "server-sent events")

    assert wrong == []
    assert seen > 30


def test_no_delivery_tells_a_secret(endpoint: Endpoint, secrets: Mapping[str, str]) -> None:
    own = {kind: secret for kind, secret in secrets.items() if kind != "webhook password"}  # it logs in there
    said = [f"{call.path} {call.headers} {call.body.decode()}" for call in endpoint.calls]

    assert len(said) > 5
    assert [each for text in said for each in found_in(text, own, "a delivery")] == []


def test_the_log_tells_no_secret(own_server: Server, secrets: Mapping[str, str]) -> None:
    assert "debug" in own_server.log()
    lines = own_server.log().splitlines()
    wrong = [(each, line[:300]) for line in lines for each in found_in(line, secrets, "the log")]

    assert wrong == []


def test_keys_are_not_in_the_catalogue(own_server: Server, secrets: Mapping[str, str]) -> None:
    """They are kept as hashes, and answers that hold them sealed."""
    catalogue = b"".join(path.read_bytes() for path in own_server.data.glob("sluice.db*"))
    ends = ("key", "API key made twice", "token", "secret", "code")
    hashed = {kind for kind in secrets if kind.endswith(ends)} - SHOWN.keys()

    own = {"app's secret", "code", "private key", "program's refresh token", "Kinescope token"}
    assert own | {"API key", "owner key", "access token", "refresh token", "OAuth token"} <= hashed
    assert [kind for kind in hashed if secrets[kind].encode() in catalogue] == []
