from server.protocols.srt.cookie import Cookies
from server.protocols.srt.packet import Address

HERE: Address = ("192.0.2.1", 5)
MINUTE = 60_000_000


def test_a_cookie_is_good_for_its_address_and_two_minutes() -> None:
    cookies = Cookies(b"secret")
    cookie = cookies.make(HERE, 0)

    assert cookies.good(cookie, HERE, 0)
    assert cookies.good(cookie, HERE, 2 * MINUTE - 1)
    assert not cookies.good(cookie, HERE, 2 * MINUTE)
    assert not cookies.good(cookie, ("192.0.2.1", 6), 0)
    assert not cookies.good(cookie, ("192.0.2.2", 5), 0)


def test_a_cookie_is_good_only_where_it_was_made() -> None:
    assert not Cookies().good(Cookies().make(HERE, 0), HERE, 0)


def test_no_cookie_is_never_good() -> None:
    cookies = Cookies(b"secret")
    assert not any(cookies.good(0, HERE, minute * MINUTE) for minute in range(1000))


def test_the_whole_of_an_ipv6_address_may_be_given() -> None:
    cookies = Cookies(b"secret")
    assert cookies.good(cookies.make(("2001:db8::1", 5, 0, 3), 0), ("2001:db8::1", 5, 0, 3), 0)
