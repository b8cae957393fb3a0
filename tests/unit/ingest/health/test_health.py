"""All of it together: fed once a second."""

from dataclasses import replace

from server.ingest.health.health import ERRORS_KEPT, Health
from server.ingest.health.reading import Reading


def test_warnings_come_and_go_with_the_publisher() -> None:
    health, news = Health(), []
    for second in range(20):
        reading = Reading(at=float(second), bytes=1000, silent_s=5.0)
        news += health.feed(reading, float(second), second * 1000)

    assert [(item.warning.code, item.active) for item in news] == [("no-data", True)]
    assert health.measures
    assert [(item.warning.code, item.active) for item in health.feed(None, 20.0, 20_000)] == [("no-data", False)]
    assert health.measures is None
    assert health.feed(None, 21.0, 21_000) == []
    assert [point.bitrate for point in health.series.points] == [0, 0, None]


def test_readings_of_another_publisher_go_on() -> None:
    health = Health()
    health.feed(Reading(at=1.0), 1.0, 1000)
    health.feed(None, 2.0, 2000)
    health.feed(replace(Reading(at=3.0), returns=1), 3.0, 3000)

    assert health.measures
    assert health.measures.reconnects == 1


def test_the_newest_faults_are_kept() -> None:
    health = Health()
    for number in range(ERRORS_KEPT + 5):
        health.fault(number, f"fault {number}")

    assert len(health.faults) == ERRORS_KEPT
    assert health.faults[0].text == "fault 5"
