"""Addresses that are asked before a key is given out."""

from server.catalog import drm_callbacks, events
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT


async def test_one_of_all_and_one_of_a_place(database: Database) -> None:
    async with database.write() as transaction:
        assert await drm_callbacks.get(transaction, DEFAULT_PROJECT) is None
        ours = await drm_callbacks.put(
            transaction, DEFAULT_PROJECT, "", url="https://a.example", login="me", password="secret", strict=True
        )
        place = await drm_callbacks.put(transaction, DEFAULT_PROJECT, "fo1", url="https://b.example")
        assert ours.updated_at is None
        again = await drm_callbacks.put(transaction, DEFAULT_PROJECT, "", url="https://c.example")
        assert again is ours
        assert ours.updated_at is not None
        assert (ours.url, ours.login) == ("https://c.example", "me")
        assert await drm_callbacks.get(transaction, DEFAULT_PROJECT, "fo1") is place
        assert await drm_callbacks.get(transaction, "pr2") is None
        await drm_callbacks.remove(transaction, ours)
        assert await drm_callbacks.get(transaction, DEFAULT_PROJECT) is None
        told = await events.of_object(transaction, DEFAULT_PROJECT, ours.id)
    assert [each.type for each in told] == ["drm-callback.set", "drm-callback.set", "drm-callback.deleted"]
    assert "secret" not in str([each.payload for each in told])
