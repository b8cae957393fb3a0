"""How tools reach the REST API."""

from collections.abc import Mapping
from typing import Any, Protocol


class Rest(Protocol):
    """The API with one caller's key. Raises client.refusals.Refused, and client.api.Unreachable where it is far."""

    @property
    def base_url(self) -> str:
        """Under which the caller reaches the server, without a slash at its end."""

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        """The JSON of the answer."""
