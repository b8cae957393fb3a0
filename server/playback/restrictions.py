"""Playback restrictions: who may watch by page, browser, country and address. A pure rule over facts of a request.

What is blocked goes before what is allowed. A request that doesn't say what a rule asks for is refused where the rule
has anything in its lists, unless `unsaid` lets it pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.playback import origins
from server.playback.facts import Blocked, Facts, within


@dataclass(frozen=True, slots=True)
class Rule:
    """One list of what may and one of what may not; an empty list of what may is everything."""

    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    unsaid: bool = False  # what to do with requests that don't say

    def forbids(self, value: str | None, matches: Callable[[str, str], bool]) -> bool:
        if not self.allowed and not self.blocked:
            return False
        if not value:
            return not self.unsaid
        if any(matches(value, each) for each in self.blocked):
            return True
        return bool(self.allowed) and not any(matches(value, each) for each in self.allowed)


NOTHING = Rule()


@dataclass(frozen=True, slots=True)
class Restriction:
    """All must let a request pass."""

    id: str
    project_id: str
    domains: Rule = NOTHING
    user_agents: Rule = NOTHING
    countries: Rule = NOTHING
    networks: Rule = NOTHING

    @classmethod
    def of(cls, id: str, project_id: str, rules: Mapping[str, Any]) -> "Restriction":
        """As `column` has made it."""
        named = {
            name: Rule(tuple(rule["allowed"]), tuple(rule["blocked"]), rule["unsaid"]) for name, rule in rules.items()
        }
        return cls(id, project_id, **named)

    def broken(self, facts: Facts, *, starts: bool) -> Blocked | None:
        """`starts`: playback, or a page; later requests often say nothing of where they come from (our own page sends
        no referrer, native players neither), which is held against none of them."""
        if self.countries.forbids(facts.country, _same):
            return Blocked("country", "Playback is not allowed in this country.")
        if self.networks.forbids(facts.ip, within):
            return Blocked("network", "Playback is not allowed from this address.")
        if self.user_agents.forbids(facts.agent, _contains):
            return Blocked("user-agent", "Playback is not allowed in this player.")
        asked = not facts.own_page and (facts.origin is not None or starts)
        if asked and self.domains.forbids(facts.origin, origins.matches):
            return Blocked("domain" if facts.origin else "no-referrer", "Playback is not allowed on this page.")
        return None


def _same(country: str, named: str) -> bool:
    return country == named


def _contains(agent: str, part: str) -> bool:
    return part in agent.lower()  # parts are stored in small letters
