"""The registry: requests by route, and what other parts count, read on the loop."""

import threading

import pytest

from server.tally import Counts, Times
from server.web.metrics import Metrics


async def test_requests_by_method_route_and_status() -> None:
    metrics = Metrics()
    metrics.request_finished("GET", "/videos/{videoId}", 200, 0.003, 100)
    metrics.request_finished("GET", "/videos/{videoId}", 200, 0.3, 50)
    metrics.request_finished("GET", "/videos/{videoId}", 404, 0.001, 10)

    text = (await metrics.render()).decode()

    labels = 'method="GET",route="/videos/{videoId}",status="200"'
    assert f"sluice_http_request_seconds_count{{{labels}}} 2.0" in text
    assert 'sluice_http_request_seconds_bucket{le="0.005",' + labels + "} 1.0" in text
    assert 'sluice_http_sent_bytes_total{route="/videos/{videoId}"} 160.0' in text


async def test_watched_numbers_are_read_at_each_scrape_on_this_thread() -> None:
    metrics, threads, value = Metrics(), set(), [1.0]

    def read() -> float:
        threads.add(threading.current_thread())
        return value[0]

    metrics.watch("gauge", "sluice_depth", "Jobs waiting.", read)
    metrics.watch("counter", "sluice_parts", "Parts cut.", lambda: {"video": 7, "audio": 9}, "rendition")
    first = (await metrics.render()).decode()
    value[0] = 2.5
    second = (await metrics.render()).decode()

    assert "sluice_depth 1.0" in first
    assert "sluice_depth 2.5" in second
    assert 'sluice_parts_total{rendition="video"} 7.0' in first
    assert "# TYPE sluice_parts_total counter" in first
    assert threads == {threading.current_thread()}


async def test_registries_are_apart() -> None:
    one, other = Metrics(), Metrics()
    one.request_finished("GET", "/x", 200, 0.1, 1)

    assert "/x" not in (await other.render()).decode()


async def test_children_are_kept() -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.request_finished("GET", "/x", 200, 0.1, 1)

    assert len(metrics._children) == 1


async def test_a_failing_reader_fails_the_scrape_loudly() -> None:
    metrics = Metrics()

    def fail() -> float:
        raise ZeroDivisionError

    metrics.watch("gauge", "sluice_broken", "Never.", fail)
    with pytest.raises(ZeroDivisionError):
        await metrics.render()


async def test_tallies_are_shown_by_their_labels() -> None:
    metrics, counts, times = Metrics(), Counts(), Times((1, 5))
    metrics.counts("sluice_jobs_ended", "Jobs.", counts, "kind", "outcome")
    metrics.times("sluice_job_seconds", "Time.", times, "kind")
    counts.add("vod", "done")
    for seconds in (0.5, 3.0, 60.0):
        times.add(seconds, "vod")
    text = (await metrics.render()).decode()

    assert 'sluice_jobs_ended_total{kind="vod",outcome="done"} 1.0' in text
    assert 'sluice_job_seconds_bucket{kind="vod",le="1.0"} 1.0' in text
    assert 'sluice_job_seconds_bucket{kind="vod",le="5.0"} 2.0' in text
    assert 'sluice_job_seconds_bucket{kind="vod",le="+Inf"} 3.0' in text
    assert 'sluice_job_seconds_sum{kind="vod"} 63.5' in text
