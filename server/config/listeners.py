"""`[http]`, `[rtmp]`, `[srt]`: where clients, publishers and players come in."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from server.config.section import Section

Port = Annotated[int, Field(ge=0, le=65535)]


def _network(text: str) -> str:
    ip_network(text, strict=False)  # raises ValueError
    return text


Network = Annotated[str, AfterValidator(_network)]


class HttpConfig(Section):
    host: str = Field("127.0.0.1", description="Address that HTTP listens on; 0.0.0.0 for every address.")
    port: Port = Field(8080, description="Port of HTTP; 0 picks a free one.")
    public_url: str | None = Field(
        None,
        description="URL under which clients reach the server, such as https://video.example.com; "
        "without it answers use the Host of the request.",
        pattern=r"^https?://[^/\s]+(/[^\s]*)?$",
    )
    trusted_proxies: list[Network] = Field(
        [], description="Addresses or networks whose X-Forwarded-* headers are believed."
    )
    country_header: str | None = Field(
        None,
        description="Request header in which trusted proxies tell the viewer's country, such as CF-IPCountry.",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
    )
    country_database: Path | None = Field(
        None, description="File in MaxMind's format (.mmdb) that tells the countries of addresses."
    )
    cors_origins: list[str] = Field(["*"], description="Origins allowed to call the API and media from pages.")
    reads_per_minute: int = Field(6000, ge=1, description="REST calls that read, for each API key.")
    writes_per_minute: int = Field(2000, ge=1, description="REST calls that change something, for each API key.")
    uploads_per_minute: int = Field(2000, ge=1, description="REST calls that upload, for each API key or address.")


class RtmpConfig(Section):
    enabled: bool = Field(True, description="Whether RTMP publishers are taken.")
    host: str = Field("0.0.0.0", description="Address that RTMP listens on.")
    port: Port = Field(1935, description="Port of RTMP; 0 picks a free one.")
    max_publishers: int = Field(500, ge=1, description="Connections held at once; more are refused.")
    idle_timeout_s: float = Field(10.0, ge=1, description="Seconds without data until a publisher is dropped.")
    certificate: Path | None = Field(
        None, description="PEM file of a certificate chain; with it RTMPS is served too, on tls_port."
    )
    key: Path | None = Field(None, description="PEM file of the certificate's private key.")
    tls_port: Port = Field(1936, description="Port of RTMPS; 0 picks a free one.")


class SrtConfig(Section):
    enabled: bool = Field(True, description="Whether SRT publishers and readers are taken.")
    host: str = Field("0.0.0.0", description="Address that SRT listens on.")
    port: Port = Field(6200, description="UDP port of SRT; 0 picks a free one.")
    latency_ms: int = Field(
        200, ge=20, le=8000, description="Least time that a lost packet is waited for; an encoder may ask for more."
    )
    max_connections: int = Field(500, ge=1, description="Publishers and readers held at once; more are refused.")
    min_key_bits: Literal[0, 128, 192, 256] = Field(
        0, description="Least length of an encryption key, bits; with it every publisher needs a passphrase."
    )
