from server.tally import Counts, Times


def test_counts_by_labels():
    counts = Counts()
    counts.add("tus", "finished")
    counts.add("tus", "finished", by=2)
    counts.add("fetch", "failed")

    assert counts.read() == {("tus", "finished"): 3, ("fetch", "failed"): 1}


def test_labels_are_bounded():
    counts = Counts(most=2)
    for reason in ("a", "b", "c", "d", "a"):
        counts.add("vod", reason)

    assert counts.read() == {("vod", "a"): 2, ("vod", "b"): 1, ("vod", "other"): 2}


def test_times_fall_into_buckets():
    times = Times((1, 5))
    for seconds in (0.5, 1.0, 3.0, 60.0):
        times.add(seconds, "vod")
    (spread,) = times.read().values()

    assert (spread.counts, spread.sum_s) == ([2, 1, 1], 64.5)


def test_what_was_read_stays_as_it_is():
    times = Times((1,))
    times.add(0.5)
    before = times.read()
    times.add(0.5)

    assert before[()].counts == [1, 0]
