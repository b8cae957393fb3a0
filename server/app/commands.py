"""The commands beside the server: what is wrong, playback tokens."""

import asyncio
import socket
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import Any

from server import ids
from server.app.catalogue import given_secret, open_database, open_known, token_secret
from server.app.core import country_lookup
from server.app.serving import PLAYER
from server.catalog import live_streams, videos
from server.config import Config, ConfigError
from server.ingest.certificate import Certificate
from server.media.calls import sandboxed
from server.media.child import Children
from server.media.codings import CODINGS
from server.media.transcoding import usable_encoder
from server.playback.tokens import MAX_TTL_S, Limits, Tokens, check_limits
from server.storage import data_folder
from server.storage.layout import Layout

# what children try in vain -> what is said of it
ISOLATION = {
    "network": "kept from the network (seccomp)",
    "programs": "kept from starting programs (seccomp)",
    "processes": "kept from starting processes (seccomp)",
    "signals": "kept from other processes (seccomp)",
    "writing": "kept from writing other files (seccomp)",
    "files": "kept from reading other files (Landlock)",
}


async def check(config: Config) -> list[str]:
    """What is wrong, a sentence each; may run beside a server."""
    faults = []
    layout = Layout(config.storage.path.resolve())
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        data_folder.try_writing(layout.root)
        if data_folder.free_bytes(layout.root) < config.storage.reserve_bytes:
            faults.append(f"storage: less than storage.reserve_bytes are free in {layout.root}")
    except OSError as error:
        faults.append(f"storage: {layout.root} can't be written ({error.strerror})")
    try:
        async with AsyncExitStack() as stack:
            await open_database(config, layout, stack)
    except ConfigError as error:
        faults.append(str(error))
    for look in (given_secret, _certificate, country_lookup):
        try:
            look(config)
        except ConfigError as error:
            faults.append(str(error))
    if not (PLAYER / "index.html").is_file():
        faults.append("player: it is not built; run `make player`")
    faults += await asyncio.to_thread(_missing_codecs)
    async with Children(1) as children:
        _, lacking = await usable_encoder(children, CODINGS[config.vod.codec].encoder)
    faults += [f"vod.codec: {sentence}; h264 takes the place of {config.vod.codec}" for sentence in lacking]
    if config.live.encoder != "auto":  # which is content with whatever there is
        async with Children(1) as children:
            _, unusable = await usable_encoder(children, config.live.encoder)
        faults += [f"live.encoder: {sentence}; libx264 takes its place" for sentence in unusable]
    return faults


async def isolation() -> list[str]:
    """What keeps the children that open strangers' files from the rest of this machine, a line for each."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with Children(1) as children:
            held = await sandboxed(children, listener.getsockname()[1])
    return [f"isolation: {sentence if name in held else 'NOT ' + sentence}" for name, sentence in ISOLATION.items()]


def _certificate(config: Config) -> None:
    if config.rtmp.certificate:
        Certificate(config.rtmp)


def _missing_codecs() -> list[str]:
    if find_spec("av") is None:
        return ["codecs: PyAV is not installed"]
    from server.media import codecs

    return [f"codecs: libav lacks {name}" for name in codecs.missing()]


async def mint(config: Config, text: str, ttl_s: int, claims: dict[str, Any]) -> str:
    """A playback token for a video or live stream. Raises LookupError, ConfigError, ValueError(claim, sentence)."""
    origins = tuple(origin.lower() for origin in claims.get("origins", ()))
    limits = Limits(origins, claims.get("ip"), viewer=claims.get("viewer"))
    check_limits(limits)
    if not 1 <= ttl_s <= MAX_TTL_S:
        raise ValueError("ttl", f"Give 1 to {MAX_TTL_S} seconds.")
    async with AsyncExitStack() as stack:
        database = await open_known(config, stack)
        tokens = Tokens(await token_secret(config, database))
        async with database.read() as transaction:
            for prefix, find in (("vi", videos.find), ("li", live_streams.find)):
                try:
                    found = await find(transaction, ids.canonical(prefix, text))
                except ids.InvalidId:
                    continue
                if found is not None:
                    return tokens.mint(found.id, ttl_s=ttl_s, limits=limits).token
    raise LookupError(f"there is no video or live stream {text}")
