"""What viewers are told of a segment that has to be made first."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from server.errors import Problem
from server.packager.presentation import NoSuchMediaError, Stored
from server.storage.segment_cache import SegmentKey
from server.vod.requests import BusyError, NoSuchSegmentError, NotMadeError
from server.web.hls import vod


def asked(outcome: bytes | Exception) -> Any:
    async def segment(key: SegmentKey) -> bytes:
        assert key == SegmentKey("vi1", 3, "480p", 7)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    request = cast(Any, SimpleNamespace(app={vod.REQUESTS: SimpleNamespace(segment=segment)}))
    return vod._made_on_request(request, Stored("vi1", source_revision=3), "480p", 7)


async def test_it_comes() -> None:
    assert await asked(b"a segment") == b"a segment"


@pytest.mark.parametrize(("outcome", "retry_s"), [(BusyError(), "2"), (NotMadeError("it crashed"), "20")])
async def test_it_is_to_be_asked_for_again(outcome: Exception, retry_s: str) -> None:
    with pytest.raises(Problem) as told:
        await asked(outcome)
    assert (told.value.row.status, told.value.headers) == (503, {"Retry-After": retry_s})
    assert "crashed" not in str(told.value)


async def test_there_is_none() -> None:
    with pytest.raises(NoSuchMediaError):
        await asked(NoSuchSegmentError("there is no segment 7 of 480p"))
