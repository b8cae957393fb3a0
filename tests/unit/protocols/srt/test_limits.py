from server.protocols.srt.limits import DEFAULT_LIMITS, Limits
from server.protocols.srt.packet import pack_ranges


def test_the_longest_loss_report_fits_a_packet() -> None:
    ranges = [(number * 10, number * 10 + 5) for number in range(DEFAULT_LIMITS.nak_ranges)]
    assert len(pack_ranges(ranges)) <= DEFAULT_LIMITS.payload


def test_what_depends_on_each_other_agrees() -> None:
    limits = Limits()
    assert 2 * limits.key_announce_packets < limits.key_refresh_packets < 1 << 31
    assert limits.keepalive_us < limits.takeover_us < limits.idle_timeout_us
    assert limits.pending_per_host < limits.pending
