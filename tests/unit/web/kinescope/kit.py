"""What tests of the dialect share."""

from typing import Any

from aiohttp import ClientResponse

from tests.unit.web.kit import Client


async def asked(client: Client, method: str, path: str, body: Any = None, **more: Any) -> Any:
    """What the answer has under `data`, or for lists all of it; asserts that the call succeeds."""
    async with client.request(method, path, json=body, **more) as response:
        return await data_of(response)


async def data_of(response: ClientResponse) -> Any:
    assert response.status == 200, await response.text()
    assert response.headers["Content-Type"] == "application/json"
    found = await response.json()
    return found if "meta" in found else found["data"]


async def refused(client: Client, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, int, str]:
    """Status, code and detail."""
    async with client.request(method, path, json=body, **more) as response:
        found = await response.json()
        assert set(found) == {"error"}, found
        assert set(found["error"]) == {"code", "message", "detail"}
        return response.status, found["error"]["code"], found["error"]["detail"]
