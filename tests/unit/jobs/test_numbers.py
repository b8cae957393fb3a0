from server.jobs.errors import CANCELLED, JobFailed
from server.jobs.numbers import Numbers


def test_endings_by_kind_and_reason():
    numbers = Numbers()
    for failure in (None, JobFailed(CANCELLED, "x"), JobFailed("unsupported", "y"), JobFailed("unsupported", "z")):
        numbers.ended("vod", 2.0, failure)

    assert numbers.outcomes.read() == {("vod", "done"): 1, ("vod", "cancelled"): 1, ("vod", "failed"): 2}
    assert numbers.failures.read() == {("vod", "unsupported"): 2}
    assert numbers.ran_s.read()[("vod",)].sum_s == 8.0
