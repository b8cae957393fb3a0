from server.protocols.srt import key_material
from server.protocols.srt.limits import Limits
from server.protocols.srt.packet import EVEN, HEADER, ODD, RETRANSMITTED, SEQUENCE_MASK, SOLO
from server.protocols.srt.receiver import Receiver
from server.protocols.srt.round_trip import RoundTrip

LATENCY_US = 100_000
TOP = SEQUENCE_MASK
LIMITS = Limits(window=64)


def receiver(first: int = 10, ciphers: dict[int, key_material.StreamCipher] | None = None) -> Receiver:
    return Receiver(first, LATENCY_US, ciphers or {}, RoundTrip(), LIMITS)


def take(target: Receiver, *numbers: int, now: int = 0, flags: int = SOLO) -> None:
    for number in numbers:
        payload = b"%d" % number
        target.take(number, flags, HEADER.pack(number, flags, 0, 0) + payload, now)


def taken(target: Receiver) -> list[int]:
    messages, target.messages = target.messages, []
    return [int(message) for message in messages]


def test_in_order_is_delivered_at_once() -> None:
    target = receiver()
    take(target, 10, 11, 12)
    assert taken(target) == [10, 11, 12]
    assert target.expected == 13
    assert target.loss_report(0) == []


def test_what_is_behind_a_hole_waits_for_it() -> None:
    target = receiver()
    take(target, 10, 13, 14)
    assert taken(target) == [10]
    assert (target.expected, target.held, target.missing) == (11, 2, 2)
    take(target, 12, 11, flags=SOLO | RETRANSMITTED)
    assert taken(target) == [11, 12, 13, 14]
    assert (target.expected, target.held, target.missing) == (15, 0, 0)
    assert (target.lost, target.retransmitted, target.reordered) == (2, 2, 0)


def test_sequence_numbers_go_round_with_and_without_holes() -> None:
    target = receiver(TOP - 1)
    take(target, TOP - 1, TOP, 0, 1)
    assert taken(target) == [TOP - 1, TOP, 0, 1]
    target = receiver(TOP - 1)
    take(target, TOP - 1, 1)
    assert target.loss_report(0) == [(TOP, 0)]
    take(target, 0, TOP)
    assert taken(target) == [TOP - 1, TOP, 0, 1]
    assert target.expected == 2


def test_the_first_packet_may_be_missing() -> None:
    target = receiver()
    take(target, 11)
    assert target.loss_report(0) == [(10, 10)]
    take(target, 10)
    assert taken(target) == [10, 11]


def test_a_hole_is_given_up_after_the_latency_counted_from_when_it_was_found() -> None:
    target = receiver()
    take(target, 10, 12, now=0)
    take(target, 14, now=50_000)
    take(target, 13, now=60_000, flags=SOLO | RETRANSMITTED)
    target.give_up_late(LATENCY_US - 1)
    assert taken(target) == [10]
    target.give_up_late(LATENCY_US)
    assert taken(target) == [12, 13, 14]
    assert (target.dropped, target.missing, target.expected) == (1, 0, 15)


def test_later_holes_wait_for_their_own_time() -> None:
    target = receiver()
    take(target, 11, now=0)
    take(target, 13, now=70_000)
    target.give_up_late(LATENCY_US)
    assert taken(target) == [11]
    assert target.waiting_us(LATENCY_US) == 30_000
    target.give_up_late(170_000)
    assert taken(target) == [13]
    assert target.dropped == 2


def test_the_sender_may_say_what_will_not_come() -> None:
    target = receiver()
    take(target, 10, 13, 16)
    target.give_up_range(14, 15)
    assert taken(target) == [10]
    target.give_up_range(5, 12)
    assert taken(target) == [13, 16]
    assert target.dropped == 4
    target.give_up_range(0, TOP >> 1)
    assert target.expected == 17


def test_duplicates_and_late_ones_are_counted_and_not_delivered() -> None:
    target = receiver()
    take(target, 10, 10, 12, 12)
    assert taken(target) == [10]
    assert (target.late, target.duplicate) == (1, 1)
    target.give_up_all()
    take(target, 11)
    assert taken(target) == [12]
    assert target.late == 2


def test_the_window_bounds_what_is_held() -> None:
    target = receiver()
    take(target, *range(11, 11 + 1000, 3))
    assert target.held + target.missing <= LIMITS.window
    assert target.out_of_window > 0


def test_a_stray_packet_from_afar_changes_nothing() -> None:
    target = receiver()
    take(target, 10, 5_000_000, 11)
    assert taken(target) == [10, 11]
    assert (target.out_of_window, target.missing) == (1, 0)
    target.relax()
    take(target, 5_000_001, 12)
    assert taken(target) == [12]
    assert target.out_of_window == 2


def test_a_sender_that_jumps_is_followed_at_its_second_packet() -> None:
    target = receiver()
    take(target, 10, 12, 1000, 1001, 1002)
    assert taken(target) == [10, 12, 1001, 1002]
    assert target.dropped == 1 + (1001 - 13)
    assert target.expected == 1003


def test_a_hole_is_reported_at_once_and_again_every_half_timeout() -> None:
    target = receiver()
    take(target, 10, 12, 14, now=0)
    assert target.loss_report(0) == [(11, 11), (13, 13)]
    assert target.loss_report(149_999) == []
    take(target, 11, now=149_999, flags=SOLO | RETRANSMITTED)
    assert target.loss_report(150_000) == [(13, 13)]  # (100 + 4 × 50) / 2 ms: the draft, 4.8.2
    take(target, 13, now=150_000, flags=SOLO | RETRANSMITTED)
    assert target.loss_report(10_000_000) == []


def test_a_report_is_no_longer_than_a_datagram() -> None:
    target = Receiver(0, LATENCY_US, {}, RoundTrip(), Limits(nak_ranges=5))
    take(target, *range(1, 40, 2))
    first = target.loss_report(0)
    second = target.loss_report(0)
    assert (len(first), len(second)) == (5, 5)
    assert first[-1] < second[0]


def test_overtaking_is_learnt_and_forgotten() -> None:
    target = receiver()
    take(target, 11, now=0)
    assert target.loss_report(0) == [(10, 10)]
    take(target, 10, now=4_000)
    assert (target.lost, target.reordered) == (0, 1)
    take(target, 13, now=5_000)
    assert target.loss_report(5_000) == []
    assert target.loss_report(9_000) == [(12, 12)]
    take(target, 12, now=9_000, flags=SOLO | RETRANSMITTED)
    for _ in range(20):
        target.relax()
    take(target, 15, now=10_000)
    assert target.loss_report(10_000) == [(14, 14)]


def test_packets_are_decrypted_by_the_key_they_name() -> None:
    salt = bytes(16)
    even, odd = key_material.new_cipher(16, salt), key_material.new_cipher(16, salt)
    target = receiver(10, {EVEN: even})
    for number, flag, cipher in ((10, EVEN, even), (11, ODD, odd), (13, EVEN, even)):
        datagram = HEADER.pack(number, SOLO | flag, 0, 0) + cipher.apply(number, b"%d" % number)
        target.take(number, SOLO | flag, datagram, 0)
    assert taken(target) == [10]
    assert (target.undecryptable, target.expected) == (1, 12)
    target.ciphers[ODD] = odd
    target.take(12, SOLO | ODD, HEADER.pack(12, SOLO | ODD, 0, 0) + odd.apply(12, b"12"), 0)
    assert taken(target) == [12, 13]


def test_plain_packets_of_an_encrypted_connection_are_not_delivered_nor_the_reverse() -> None:
    target = receiver(10, {EVEN: key_material.new_cipher(16, bytes(16))})
    take(target, 10, 12)
    assert (target.undecryptable, target.messages) == (2, [])
    target = receiver(10)
    take(target, 10, flags=SOLO | EVEN)
    assert (target.undecryptable, target.messages, target.expected) == (1, [], 11)


def test_empty_packets_are_no_messages() -> None:
    target = receiver()
    target.take(10, SOLO, bytes(16), 0)
    assert (target.messages, target.expected) == ([], 11)
