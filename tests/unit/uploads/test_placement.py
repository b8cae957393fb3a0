import pytest

from server.catalog import file_requests, folders, libraries, uploads, video_details
from server.catalog.library_models import LibrarySettings
from server.catalog.models import DEFAULT_PROJECT, UploadToken
from server.catalog.organisation_models import Folder
from server.catalog.sharing_models import FileRequest
from server.protocols.tus.metadata import Description
from server.uploads.placement import Sender, base_name, new_video


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        (None, None),
        ("", None),
        ("a.mp4", "a.mp4"),
        ("/home/me/a.mp4", "a.mp4"),
        ("C:\\clips\\a b.mp4", "a b.mp4"),
        ("folder/", "folder"),
        ("/", None),
        ("..", ".."),
        (" \0 ", None),
        ("x" * 5000, "x" * 1000),
    ],
)
def test_the_name_of_a_file_is_the_end_of_its_path(filename, name):
    assert base_name(filename) == name


@pytest.mark.parametrize("place", ["library", "folder", "default"])
@pytest.mark.parametrize("public", [None, True, False])
async def test_what_a_file_request_brings_is_as_its_library_has_it(house, place, public):
    """Whatever the visitor says; a token of no file request knows of no library."""
    async with house.database.write() as transaction:
        default = libraries.default_id(DEFAULT_PROJECT)
        library = Folder(project_id=DEFAULT_PROJECT, name="L", **({"id": default} if place == "default" else {}))
        await folders.add(transaction, library)
        inner = Folder(project_id=DEFAULT_PROJECT, name="F", parent_id=library.id)
        await folders.add(transaction, inner)
        location_id = {"library": library.id, "folder": inner.id, "default": None}[place]
        transaction.add(
            LibrarySettings(id=library.id, project_id=DEFAULT_PROJECT, privacy="custom", domains=["a.example"])
        )
        request = FileRequest(project_id=DEFAULT_PROJECT, title="R", description="", location_id=location_id)
        await file_requests.add(transaction, request)
        described = Description(filename="a.mp4", public=public)
        video = await new_video(transaction, Sender(DEFAULT_PROJECT, request.token), described)
        assert (video.folder_id, video.public) == (location_id, False)
        details = await video_details.own(transaction, video)
        assert (details.privacy, details.domains) == ("custom", ["a.example"])

        token = await uploads.add_token(transaction, UploadToken(project_id=DEFAULT_PROJECT, ttl_s=0))
        free = await new_video(transaction, Sender(DEFAULT_PROJECT, token.id), described)
        assert (free.folder_id, free.public) == (None, public is not False)


async def test_what_a_file_request_brings_into_an_open_library_is_as_its_sender_said(house):
    async with house.database.write() as transaction:
        request = FileRequest(project_id=DEFAULT_PROJECT, title="R", description="")
        await file_requests.add(transaction, request)
        for public in (True, False):
            described = Description(filename="a.mp4", public=public)
            video = await new_video(transaction, Sender(DEFAULT_PROJECT, request.token), described)
            assert video.public is public
