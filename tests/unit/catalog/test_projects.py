"""What keeps a project, and what goes with it."""

from datetime import timedelta

import pytest

from server import clock
from server.catalog import oauth_apps, oauth_grants, partial_uploads, projects
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Project
from server.catalog.oauth_models import OAuthApp, OAuthGrant
from server.catalog.upload_models import PartialUpload


@pytest.fixture
async def project(database: Database) -> Project:
    async with database.write() as transaction:
        return await projects.add(transaction, Project(name="another"))


async def test_what_a_program_of_another_project_was_allowed_goes_along(database: Database, project: Project) -> None:
    later = clock.now() + timedelta(days=1)
    async with database.write() as transaction:
        app = OAuthApp(project_id=DEFAULT_PROJECT, name="a program", redirect_uris=[], scopes=[], confidential=False)
        await oauth_apps.add(transaction, app)
        await transaction.flush()
        grant = await oauth_grants.add(
            transaction,
            OAuthGrant(
                project_id=project.id, app_id=app.id, key_id="ak1", generation="1", scopes=[], code_hash="x",
                code_challenge="y", redirect_uri="https://example.com", code_expires_at=later, expires_at=later,
            ),
        )  # fmt: skip
    async with database.write() as transaction:
        found = await projects.get(transaction, project.id)
        assert found
        assert await projects.contents(transaction, found) == []
        await projects.remove(transaction, found)
    async with database.read() as transaction:
        assert await oauth_grants.find(transaction, grant.id) is None


async def test_a_part_that_is_not_joined_keeps_it(database: Database, project: Project) -> None:
    async with database.write() as transaction:
        row = PartialUpload(project_id=project.id, secret_hash="x", expires_at=clock.now())
        await partial_uploads.add(transaction, row)
    async with database.read() as transaction:
        assert await projects.contents(transaction, project) == ["partial_uploads"]
