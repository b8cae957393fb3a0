"""Playback restrictions, rule by rule."""

import pytest

from server.playback.facts import Facts
from server.playback.restrictions import Restriction, Rule

HERE = Facts("192.0.2.7", "https://www.example.com/page", country="FR", agent="Mozilla/5.0 (X11) Chrome/140")


def reason(restriction: Restriction, facts: Facts, starts: bool = True) -> str | None:
    broken = restriction.broken(facts, starts=starts)
    return broken.reason if broken else None


def test_without_rules_everything_passes() -> None:
    assert reason(Restriction("r", "pr1"), Facts("")) is None


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"domains": Rule(("www.example.com",))}, None),
        ({"domains": Rule(("*.example.com",))}, None),
        ({"domains": Rule(("example.com",))}, "domain"),
        ({"domains": Rule((), ("*.example.com",))}, "domain"),
        ({"domains": Rule(("*.example.com",), ("www.example.com",))}, "domain"),
        ({"domains": Rule((), ("evil.example",))}, None),
        ({"user_agents": Rule(("chrome/",))}, None),
        ({"user_agents": Rule(("firefox/",))}, "user-agent"),
        ({"user_agents": Rule((), ("x11",))}, "user-agent"),
        ({"countries": Rule(("FR", "BE"))}, None),
        ({"countries": Rule(("BE",))}, "country"),
        ({"countries": Rule((), ("FR",))}, "country"),
        ({"networks": Rule(("192.0.2.0/24",))}, None),
        ({"networks": Rule(("198.51.100.0/24",))}, "network"),
        ({"networks": Rule((), ("192.0.2.7",))}, "network"),
        ({"countries": Rule(("FR",)), "networks": Rule((), ("192.0.2.7",))}, "network"),
    ],
)
def test_a_rule(rules: dict[str, Rule], expected: str | None) -> None:
    assert reason(Restriction("r", "pr1", **rules), HERE) == expected


@pytest.mark.parametrize("rule", [Rule(("*.example.com", "FR", "chrome")), Rule((), ("evil.example", "BE", "curl"))])
@pytest.mark.parametrize(
    ("name", "expected"), [("domains", "no-referrer"), ("countries", "country"), ("user_agents", "user-agent")]
)
def test_what_is_not_said(name: str, expected: str, rule: Rule) -> None:
    silent = Facts("192.0.2.7")

    assert reason(Restriction("r", "pr1", **{name: rule}), silent) == expected
    assert reason(Restriction("r", "pr1", **{name: Rule(rule.allowed, rule.blocked, unsaid=True)}), silent) is None


def test_a_page_is_asked_for_when_playback_starts_and_looked_at_wherever_it_is_said() -> None:
    restriction = Restriction("r", "pr1", domains=Rule(("example.com",)))

    assert reason(restriction, Facts("192.0.2.7"), starts=False) is None
    assert reason(restriction, Facts("192.0.2.7", "https://evil.example"), starts=False) == "domain"
    assert reason(restriction, Facts("192.0.2.7", "https://video.test", own_page=True)) is None


def test_as_it_is_stored() -> None:
    stored = {"networks": {"allowed": ["192.0.2.0/24"], "blocked": [], "unsaid": False}}

    assert Restriction.of("r", "pr1", stored) == Restriction("r", "pr1", networks=Rule(("192.0.2.0/24",)))
