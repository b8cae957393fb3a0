from server.protocols.srt.round_trip import MAX_US, RoundTrip


def test_before_the_first_measurement_it_is_a_guess() -> None:
    trip = RoundTrip()
    assert (trip.us, trip.variance_us, trip.timeout_us) == (100_000, 50_000, 300_000)


def test_the_first_measurement_counts_in_full_and_the_others_as_the_draft_says() -> None:
    trip = RoundTrip()
    trip.measured(40_000)
    assert (trip.us, trip.variance_us) == (40_000, 20_000)

    trip.measured(80_000)

    assert trip.us == 7 * 40_000 // 8 + 80_000 // 8
    assert trip.variance_us == 3 * 20_000 // 4 + 40_000 // 4


def test_a_lie_about_it_has_bounds() -> None:
    trip = RoundTrip()
    trip.measured(0xFFFF_FFFF)
    assert trip.us == MAX_US
