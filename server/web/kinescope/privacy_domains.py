"""Domains that a project's videos may be restricted to, kept to be chosen from."""

from typing import Annotated

from pydantic import StringConstraints

from server.catalog import privacy_domains
from server.catalog.database import Transaction
from server.catalog.sharing_models import PrivacyDomain
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.shapes import DONE, All, Answer, Body, Data, Domain, Done, Id, Moment
from server.web.kinescope.values import REFUSED, made, there
from server.web.typed import Call

operations = kinescope_operations("Privacy domains")

GivenDomain = Annotated[Domain, StringConstraints(min_length=1)]


class DomainCreation(Body):
    domain: GivenDomain


class DomainChanges(Body):
    domain: GivenDomain
    archived: bool = False


class DomainAnswer(Answer):
    id: Id
    workspace_id: Id
    domain: str
    archived: bool
    archived_at: Moment | None
    created_at: Moment
    updated_at: Moment


@operations.get("/v1/privacy-domains", "List domains", scope="videos:read")
async def list_all(call: Call) -> All[DomainAnswer]:
    """All of them, by their names."""
    async with call.services.database.read() as transaction:
        rows = await privacy_domains.every(transaction, call.project_id)
    return All(data=[_answer(row) for row in rows])


@operations.post(
    "/v1/privacy-domains", "Note a domain", scope="videos:write", errors=REFUSED, example={"domain": "test.ru"}
)
async def create(call: Call, body: DomainCreation) -> Data[DomainAnswer]:
    async with call.services.database.write() as transaction:
        with made("domain"):
            row = await privacy_domains.add(transaction, call.project_id, body.domain)
    return Data(data=_answer(row))


@operations.put(
    "/v1/privacy-domains/{domain_id}", "Change a domain", scope="videos:write", errors=REFUSED,
    example={"domain": "test.ru", "archived": True},
)  # fmt: skip
async def change(call: Call, domain_id: str, body: DomainChanges) -> Data[DomainAnswer]:
    """Videos that are restricted to it stay as they are."""
    async with call.services.database.write() as transaction:
        row = await _find(transaction, call, domain_id)
        with made("domain"):
            await privacy_domains.change(transaction, row, body.domain, body.archived)
        return Data(data=_answer(row))


@operations.delete("/v1/privacy-domains/{domain_id}", "Delete a domain", scope="videos:write")
async def delete(call: Call, domain_id: str) -> Done:
    async with call.services.database.write() as transaction:
        await privacy_domains.remove(transaction, await _find(transaction, call, domain_id))
    return DONE


async def _find(transaction: Transaction, call: Call, domain_id: str) -> PrivacyDomain:
    return there(await privacy_domains.get(transaction, call.project_id, domain_id), "domain_id")


def _answer(row: PrivacyDomain) -> DomainAnswer:
    return DomainAnswer(
        id=row.id,
        workspace_id=row.project_id,
        domain=row.domain,
        archived=row.archived_at is not None,
        archived_at=row.archived_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
