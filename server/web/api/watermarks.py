"""Watermarks: images that videos can be made with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from aiohttp import web
from pydantic import Field

from server.catalog import watermarks
from server.catalog.database import Transaction
from server.catalog.models import Video, Watermark
from server.errors import Problem
from server.vod.marks import Marks
from server.web import validation
from server.web.forms import SMALL_FILE_ERRORS, of_one_file, small_file
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import Answer, Moment
from server.web.typed import Call, Operations

MARKS = web.AppKey("marks", Marks)
MAX_BYTES = 16 << 20  # of an upload: it is held in memory until it is coded

operations = Operations("Watermarks")


class WatermarkAnswer(Answer):
    watermark_id: str
    created_at: Moment
    width: int = Field(description="Pixels.")
    height: int


class WatermarkList(Answer):
    data: list[WatermarkAnswer]
    pagination: Pagination


class WatermarkQuery(PageQuery):
    sort_by: Literal["createdAt"] | None = None


@operations.post(
    "/watermarks",
    "Upload a watermark",
    scope="watermarks:write",
    kind="upload",
    raw=of_one_file("A PNG, JPEG or WebP picture."),
    errors=(*SMALL_FILE_ERRORS, "conflict"),
)
async def upload(call: Call) -> WatermarkAnswer:
    """It is put over videos that are made with it (`watermark` of `POST /videos`); what can be seen through in it stays
    so. Sides of more than 3840 pixels are made smaller."""
    picture = await small_file(call.request, MAX_BYTES)
    return _answer(await call.request.app[MARKS].keep(call.project_id, picture))


@operations.get("/watermarks", "List watermarks", scope="watermarks:read")
async def list_all(call: Call, query: WatermarkQuery) -> WatermarkList:
    """Newest first unless sorted."""
    async with call.services.database.read() as transaction:
        page = await watermarks.page(transaction, call.project_id, query.paging(query.sort_by))
    return WatermarkList(data=[_answer(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.delete("/watermarks/{watermarkId}", "Delete a watermark", scope="watermarks:write", status=204)
async def delete(call: Call, watermark_id: str) -> None:
    """Videos that were made with it keep it, those too that are just being made: each has a copy of its own."""
    async with call.services.database.write() as transaction:
        row = await watermarks.get(transaction, call.project_id, watermark_id)
        if row is None:
            raise Problem("resource-not-found", name="watermarkId")
        await call.request.app[MARKS].remove(transaction, row)


@asynccontextmanager
async def given(call: Call, video: Video) -> AsyncIterator[None]:
    """Around the making of a video: where it fails no copy of its watermark stays."""
    try:
        yield
    except BaseException:
        if video.watermark is not None:
            call.request.app[MARKS].take_back(video.id)
        raise


async def give(transaction: Transaction, call: Call, video: Video) -> None:
    """A new video's own copy of its watermark. Raises Problem."""
    if video.watermark is not None and not await call.request.app[MARKS].give(
        transaction, video, video.watermark["id"]
    ):
        raise validation.of_attribute("watermark[id]", "There is no such watermark.")


def _answer(row: Watermark) -> WatermarkAnswer:
    return WatermarkAnswer(watermark_id=row.id, created_at=row.created_at, width=row.width, height=row.height)
