from server.protocols.srt.meter import Meter


def test_bits_of_the_last_second_and_of_the_best_ten_milliseconds() -> None:
    meter = Meter(0)
    total, turns = 0, 0
    for step in range(1, 101):
        total += 10_000 if step == 50 else 100
        turns += meter.update(total, step * 10_000)

    assert turns == 1
    assert meter.bits_per_s == 8 * (99 * 100 + 10_000)
    assert meter.best_bits_per_s == 8 * 100 * 10_000


def test_the_best_is_forgotten() -> None:
    meter = Meter(0)
    for step in range(1, 800):
        meter.update(10_000, step * 10_000)
    assert meter.best_bits_per_s == meter.bits_per_s == 0


def test_it_waits_for_ten_milliseconds() -> None:
    meter = Meter(0)
    meter.update(1000, 10)
    assert meter.best_bits_per_s == 0
