"""Examples for the OpenAPI document, made from its schemas: an object that fits, with values that look like real ones.

A field's own `examples` come first, then VALUES by its name, then its default, then what its type gives. A string that
nothing describes becomes UNKNOWN, which a test looks for: give the field `examples`, or its name a row here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]  # by name, what "$ref" points to

UNKNOWN = "…"
DEPTH_LIMIT = 12  # schemas that hold themselves end there
MOMENT = "2026-01-31T10:17:47+00:00"

_VIDEO = "vi4UvXCZDgZ6sGVRgbCzSQrD"
_LIVE = "li4ArHVTo8dSlcXLVpXfZ2bQ"
_HOST = "https://video.example.com"
_NOT_YET = None  # what a video that is as it should be has not

# name of a property or parameter -> a value, or several in a tuple: the first that fits its schema is taken
_VALUES: Mapping[str, Any] = {
    "abstract": "How the team builds bridges.",
    "access_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
    "action": "changed",
    "address": "203.0.113.7",
    "after": ({"title": "Bridges, revised"}, "ev3qvJ5d7YxG2cZQk9TnW8sH", None),
    "aggregation": "count",
    "apiKey": "key-secret",
    "apiKeyId": "key_3wNhx2mPzXcVbT6sYqR9dK",
    "aspectRatio": "16/9",
    "audioCodec": "aac",
    "before": ({"title": "Bridges"}, None),
    "backupStreamKey": None,
    "bitrate": 4200,
    "bottom": ("20px", "0px"),
    "breakdown": "country",
    "broadcastId": ("br5Jm2Y8kQwTzXcVbN4sLpRd", None),
    "channels": 2,
    "checks": {"database": "ok", "storage": "ok"},
    "choices": ["G", "PG", "R"],
    "client_id": "key_3wNhx2mPzXcVbT6sYqR9dK",
    "client_secret": "key-secret",
    "clientSecret": ("app-secret", None),
    "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "code": "not-a-video",
    "codec": "avc1.64001f",
    "continent": "Europe",
    "country": ("FR", "France"),
    "countries": ["FR", "BE"],
    "dash": f"{_HOST}/vod/{_VIDEO}/dash/manifest.mpd",
    "deliveryId": "de2Kx8RmPzXcVbT6sYqNwhJd",
    "description": "A film on bridges.",
    "detail": "The file is no video.",
    "dimensionValue": "FR",
    "disabledReason": _NOT_YET,
    "duration": (94.6, 95, 30),
    "email": "ana@example.com",
    "embed": f"{_HOST}/embed/{_VIDEO}",
    "encoder": "obs-studio 31.0",
    "end": (42.0, "00:01:00"),
    "endTimecode": "00:01:00",
    "entryId": "au6TnW8sHqvJ5d7YxG2cZQk9",
    "environment": "production",
    "error": _NOT_YET,
    "event": "video.created",
    "eventId": "ev3qvJ5d7YxG2cZQk9TnW8sH",
    "events": (["video.source.recorded", "video.encoding.quality.completed"],),
    "features": ["app.dynamic_metadata"],
    "file": "@film.mp4",
    "folderId": ("fo2Kx8RmPzXcVbT6sYqNwhJd", None),
    "format": ("native",),
    "from": (MOMENT, 12, 0),
    "givenUp": [],
    "grant_type": "client_credentials",
    "grant_types_supported": ["client_credentials"],
    "head": "HTTP/1.1 200 OK",
    "height": (1080, "40px", "50%"),
    "hls": f"{_HOST}/vod/{_VIDEO}/hls/manifest.m3u8",
    "id": "ev3qvJ5d7YxG2cZQk9TnW8sH",
    "iframe": f'<iframe src="{_HOST}/vod/{_VIDEO}" width="100%" height="100%" allowfullscreen=""></iframe>',
    "importId": "im2Kx8RmPzXcVbT6sYqNwhJd",
    "ingest": "primary",
    "ip": ("203.0.113.7", None),
    "issuer": _HOST,
    "jobId": "jo2Kx8RmPzXcVbT6sYqNwhJd",
    "keepTags": ["keep"],
    "key": "author",
    "kind": "vod",
    "language": "en",
    "languageName": "English",
    "latencyMode": "low",
    "left": ("20px", "0px"),
    "link": ("https://example.com", "rgba(255, 255, 255, 1)"),
    "links": ([{"rel": "self", "uri": f"/live-streams/{_LIVE}"}],),
    "liveStreamId": (_LIVE, None),
    "login": "sluice",
    "logo": f"{_HOST}/player/pl45KFKdlddgk654dspkze/logo.png",
    "maxBytes": 500_000_000,
    "maxDuration": 600,
    "max_quality": 720,
    "message": ("Segment 12 of 48", "The key frames are 10 s apart."),
    "metadata": ([{"key": "author", "value": "Ana"}],),
    "metric": "play",
    "mp4": f"{_HOST}/vod/{_VIDEO}/mp4/source.mp4",
    "name": "Bridges",
    "next": "ev3qvJ5d7YxG2cZQk9TnW8sH",
    "objectId": _VIDEO,
    "objectType": "video",
    "opacity": "70%",
    "operation": "PATCH_videos-videoId",
    "origins": ["https://example.com"],
    "password": "endpoint-password",
    "playbackId": "pb2Kx8RmPzXcVbT6sYqNwhJd",
    "player": f"{_HOST}/vod/{_VIDEO}",
    "playerId": ("pl3wNhx2mPzXcVbT6sYqR9dK", None),
    "priority": "short",
    "projectId": "pr3wNhx2mPzXcVbT6sYqR9dK",
    "protocol": "rtmp",
    "reason": (_NOT_YET, "refused"),
    "recordings": ([_VIDEO], f"/videos?liveStreamId={_LIVE}"),
    "refreshToken": "rt-5Jm2Y8kQwTzXcVbN4sLpRd",
    "redirect_uri": "https://app.example.com/callback",
    "refresh_token": "rt-5Jm2Y8kQwTzXcVbN4sLpRd",
    "renditions": ("passthrough", ["1080p", "720p"]),
    "requestId": "3f9c1a5b7e00002a",
    "response_types_supported": ["code"],
    "restreamId": "rs2Kx8RmPzXcVbT6sYqNwhJd",
    "revocation_endpoint": f"{_HOST}/oauth/revoke",
    "revocation_endpoint_auth_methods_supported": ["client_secret_basic"],
    "restrictionId": ("restriction_3wNhx2mPzXcVbT6sYqR9dK", None),
    "right": ("20px", "0px"),
    "rtmp": "rtmp://video.example.com/live",
    "rtmps": ("rtmps://video.example.com:1936/live",),
    "scope": "videos:read videos:write",
    "scopes": ["videos:read", "uploads:create"],
    "scopes_supported": ["videos:read", "videos:write"],
    "secret": "key-secret",
    "serverUrl": "rtmp://a.rtmp.example.com/live2",
    "sessionId": "ps2Kx8RmPzXcVbT6sYqNwhJd",
    "signatureSecret": "sig_sec_5Jm2Y8kQwTzXcVbN4sLpRd",
    "signingKeyId": "sk_3wNhx2mPzXcVbT6sYqR9dK",
    "slate": None,
    "source": ("https://files.example.com/bridges.mp4", None),
    "sourceUrl": (None, "https://live.example.com/in.m3u8"),
    "src": f"{_HOST}/vod/{_VIDEO}/captions/en.vtt",
    "srclang": "en",
    "srt": "srt://video.example.com:6200?streamid=5f2c8d1e-stream-key",
    "srtPassphrase": (None, "long enough words"),
    "start": (12.0, "00:00:12"),
    "startTimecode": "00:00:12",
    "state": ("done", "idle"),
    "states": ({"done": 3, "processing": 1}, ["dead"]),
    "statistics": {"bytesReceived": 1048576},
    "status": ("ready", "idle", 200),
    "streamKey": "5f2c8d1e-stream-key",
    "summaryId": "summary_3wNhx2mPzXcVbT6sYqR9dK",
    "tags": ["engineering", "bridges"],
    "takeaways": ["Stone lasts.", "Steel spans."],
    "text": "rgba(255, 255, 255, 1)",
    "thumbnail": f"{_HOST}/vod/{_VIDEO}/thumbnail.jpg",
    "timecode": "00:00:12.00",
    "title": "Bridges",
    "to": (MOMENT, 42, None),
    "token": "to1tcmSFHeYY5KzyhOqVKMKb",
    "tokenId": "5Jm2Y8kQwTzXcVbN4sLpRd",
    "token_endpoint": f"{_HOST}/oauth/token",
    "token_endpoint_auth_methods_supported": ["client_secret_basic"],
    "token_type_hint": "access_token",
    "top": ("20px", "0px"),
    "track": "video",
    "type": ("video.updated", "computer"),
    "types": ["video.*"],
    "uploadId": ("up2Kx8RmPzXcVbT6sYqNwhJd", None),
    "uploadSessionId": "us2Kx8RmPzXcVbT6sYqNwhJd",
    "uploadToken": "to1tcmSFHeYY5KzyhOqVKMKb",
    "uri": f"/videos/{_VIDEO}/source",
    "url": "https://hooks.example.com/video",
    "value": "Ana",
    "verdict": "good",
    "videoCodec": "h264",
    "videoId": (_VIDEO, None),
    "videos": [_VIDEO],
    "viewer": "user-42",
    "watermarkId": "watermark_3wNhx2mPzXcVbT6sYqR9dK",
    "webhookId": "webhook_3wNhx2mPzXcVbT6sYqR9dK",
    "width": (1920, "120px", "50%"),
}  # fmt: skip

_COLOURS = (
    "backgroundBottom", "backgroundText", "backgroundTop", "linkActive", "linkHover", "trackBackground", "trackPlayed",
    "trackUnplayed",
)  # fmt: skip
_ABSENT = (  # of what is as it usually is
    "archivedAt", "crop", "deletesAt", "disabledAt", "discardedAt", "expiresAt", "failingSince", "oldSecretUntil",
    "previousSecretExpiresAt", "tokensValidAfter", "trim", "watermark",
)  # fmt: skip
VALUES: Mapping[str, Any] = {
    **_VALUES,
    **dict.fromkeys(_COLOURS, "rgba(255, 90, 90, 1)"),
    **dict.fromkeys(_ABSENT),
}

_ENDS = {"Id": "2Kx8RmPzXcVbT6sYqNwhJd", "Url": f"{_HOST}/a", "Uri": "/a"}  # of names that have no row
_BY_FORMAT = {"date-time": MOMENT, "date": "2026-01-31", "uri": _HOST, "uri-reference": "/", "binary": "@film.mp4"}


def example(schema: Schema, schemas: Schemas, name: str = "", depth: int = 0) -> Any:
    """A value that fits `schema`, for what is called `name`."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, depth + 1)
    for value in _named(name):
        if fits(value, schema, schemas):
            return value
    if schema.get("default") is not None:
        return schema["default"]
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        if choice.get("type") != "null":
            return example(choice, schemas, name, depth)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    return _of_type(schema, schemas, name, depth)


def _named(name: str) -> Sequence[Any]:
    """What may be there of that name, else of its end."""
    end = next((end for end in _ENDS if name.endswith(end)), None)
    if name not in VALUES and end is None:
        return ()
    found = VALUES[name] if name in VALUES or end is None else _ENDS[end]
    return found if isinstance(found, tuple) else (found,)


def _of_type(schema: Schema, schemas: Schemas, name: str, depth: int) -> Any:
    kind: str | None = schema.get("type")
    match kind:
        case "object":
            return _object(schema, schemas, depth)
        case "array":
            few = [example(each, schemas, name, depth + 1) for each in schema.get("prefixItems", ())]
            wanted = max(1, schema.get("minItems", 0)) if "items" in schema and depth < DEPTH_LIMIT else 0
            return few or [example(schema["items"], schemas, name, depth + 1) for _ in range(wanted)]
        case "string":
            return _BY_FORMAT.get(schema.get("format", ""), UNKNOWN)
        case "integer" | "number":
            return schema.get("minimum", min(1, schema.get("maximum", 1)))
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return UNKNOWN


def _object(schema: Schema, schemas: Schemas, depth: int) -> dict[str, Any]:
    if depth >= DEPTH_LIMIT:
        return {}
    found = {key: example(of, schemas, key, depth + 1) for key, of in schema.get("properties", {}).items()}
    more = schema.get("additionalProperties")
    if not found and isinstance(more, Mapping):
        return {"key": example(more, schemas, "value", depth + 1)}
    return found


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip


def fits(value: Any, schema: Schema, schemas: Schemas) -> bool:
    """Whether a value of ours may stand there; as far as VALUES need it, the document's test knows all of it."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for choices in ("anyOf", "oneOf"):
        if choices in schema:
            return any(fits(value, choice, schemas) for choice in schema[choices])
    if "const" in schema or "enum" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if not isinstance(value, _TYPES.get(schema.get("type", ""), object)):
        return False
    if isinstance(value, str):
        return _text_fits(value, schema)
    if isinstance(value, list):
        return all(fits(each, schema.get("items", {}), schemas) for each in value)
    if isinstance(value, dict):
        known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        of_others: Schema = more if isinstance(more, Mapping) else {}
        return all(
            (key in known or more is not False) and fits(each, known.get(key, of_others), schemas)
            for key, each in value.items()
        ) and set(schema.get("required", ())) <= value.keys()
    return True


def _text_fits(value: str, schema: Schema) -> bool:
    if schema.get("format") in ("date-time", "date") and not re.fullmatch(r"\d{4}-\d\d-\d\d.*", value):
        return False
    if schema.get("format") == "binary":
        return value.startswith("@")
    short_enough = len(value) <= schema.get("maxLength", len(value))
    return short_enough and bool(re.search(schema.get("pattern", ""), value))
