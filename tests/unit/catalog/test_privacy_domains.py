"""Domains of a project."""

import pytest

from server.catalog import events, privacy_domains
from server.catalog.database import Database
from server.catalog.limits import Taken, TooMany
from server.catalog.models import DEFAULT_PROJECT


async def test_domains(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy_domains, "MOST", 2)
    async with database.write() as transaction:
        second = await privacy_domains.add(transaction, DEFAULT_PROJECT, "b.example")
        first = await privacy_domains.add(transaction, DEFAULT_PROJECT, "a.example")
        assert await privacy_domains.every(transaction, DEFAULT_PROJECT) == [first, second]
        assert await privacy_domains.every(transaction, "pr2") == []
        assert await privacy_domains.get(transaction, "pr2", first.id) is None
        with pytest.raises(TooMany):
            await privacy_domains.add(transaction, DEFAULT_PROJECT, "c.example")
        with pytest.raises(Taken):
            await privacy_domains.change(transaction, first, "b.example", archived=False)
        await privacy_domains.change(transaction, first, "a.example", archived=True)
        assert first.archived_at is not None
        await privacy_domains.remove(transaction, second)
        with pytest.raises(Taken):
            await privacy_domains.add(transaction, DEFAULT_PROJECT, "a.example")
        await privacy_domains.change(transaction, first, "c.example", archived=False)
        assert (first.domain, first.archived_at) == ("c.example", None)
        told = await events.of_object(transaction, DEFAULT_PROJECT, first.id)
    assert [each.type for each in told] == [f"privacy-domain.{what}" for what in ("created", "updated", "updated")]
