"""Zones of delivery: the oldest one counts."""

import pytest

from server.catalog import delivery_zones, events
from server.catalog.database import Database
from server.catalog.limits import TooMany
from server.catalog.models import DEFAULT_PROJECT
from server.catalog.sharing_models import DeliveryZone


def _zone(host: str) -> DeliveryZone:
    return DeliveryZone(project_id=DEFAULT_PROJECT, name=host, host=host, access_control={"jwt_secret": "hidden"})


async def test_zones(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_zones, "MOST", 2)
    async with database.write() as transaction:
        first = await delivery_zones.add(transaction, _zone("b.example"))
        second = await delivery_zones.add(transaction, _zone("a.example"))
        assert await delivery_zones.every(transaction, DEFAULT_PROJECT) == [first, second]
        assert await delivery_zones.every(transaction, "pr2") == []
        assert await delivery_zones.get(transaction, "pr2", first.id) is None
        with pytest.raises(TooMany):
            await delivery_zones.add(transaction, _zone("c.example"))
        await delivery_zones.remove(transaction, first)
        assert await delivery_zones.every(transaction, DEFAULT_PROJECT) == [second]
        told = await events.of_object(transaction, DEFAULT_PROJECT, first.id)
    assert [each.type for each in told] == ["delivery-zone.created", "delivery-zone.deleted"]
    assert "hidden" not in str([each.payload for each in told])
