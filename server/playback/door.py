"""The door before everything that is watched: token, policy, restrictions, how many watch at once.

    await door.prepare(asset, token)       brings what a decision looks at into memory
    door.check(asset, token, facts, …)     the decision; touches nothing but memory
    door.play(asset, allow, facts)         for media: counts the session that asks for it
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace

from server import clock, ids
from server.catalog import playback_restrictions
from server.catalog.database import Database, Transaction
from server.errors import Problem
from server.playback import policy
from server.playback.assets import Asset
from server.playback.facts import Blocked, Facts
from server.playback.kept import Kept
from server.playback.policy import Allow
from server.playback.restrictions import Restriction
from server.playback.revocations import Revocations
from server.playback.signing_keys import SigningKeys
from server.playback.tokens import AUDIENCES, PLAYBACK, Grant, Minted, Tokens
from server.playback.viewers import Viewers

RESTRICTIONS_KEPT = 2000  # about 2 KiB each
TOO_MANY = "As many watch as the token allows."
UNKNOWN_RESTRICTION = "The playback restriction that the token names is not there."


class Restrictions(Kept[Restriction]):
    """The cache. One for each process."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = clock.monotonic) -> None:
        super().__init__(database, _read, RESTRICTIONS_KEPT, monotonic)


async def _read(transaction: Transaction, id: str) -> Restriction | None:
    row = await playback_restrictions.find(transaction, id)
    return Restriction.of(row.id, row.project_id, row.rules) if row else None


@dataclass(frozen=True, slots=True)
class Door:
    """One for each process."""

    tokens: Tokens
    revocations: Revocations
    keys: SigningKeys
    restrictions: Restrictions
    viewers: Viewers = field(default_factory=Viewers)
    refusals: dict[str, int] = field(default_factory=dict)  # by reason

    async def prepare(self, asset: Asset, token: str | None) -> None:
        if token and (kid := self.tokens.key_of(token)):
            await self.keys.prepare(kid)
        for id in self._restrictions_of(asset, token):
            await self.restrictions.get(id)

    def check(
        self,
        asset: Asset,
        token: str | None,
        facts: Facts,
        audiences: Collection[str] = (PLAYBACK,),
        *,
        starts: bool = False,
        led: bool = False,
    ) -> Allow:
        """The decision. What is not in memory counts as not there. Raises Problem."""
        grant = self.grant(asset, token, audiences) if token else None
        restrictions = [self._restriction(asset, id) for id in _named(asset, grant)]
        decision = policy.decide(asset, grant, facts, self.revocations, restrictions, starts=starts, led=led)
        if isinstance(decision, Problem):
            raise decision
        return decision

    def grant(self, asset: Asset, token: str, audiences: Collection[str] = (PLAYBACK,)) -> Grant:
        """What the token allows on the asset. Raises Problem."""
        return self.tokens.verify(token, asset.id, audiences, name=asset.name, project_id=asset.project_id)

    def play(self, asset: Asset, allow: Allow, facts: Facts) -> None:
        """Counts the session that asks for media; of a token that began none, the address. Raises Problem."""
        grant = allow.grant
        if grant is not None and grant.limits.sessions is not None:
            self._admit(asset, grant, grant.session or facts.ip, facts)

    def begin(self, asset: Asset, grant: Grant, facts: Facts) -> Minted:
        """A session token for who holds the grant. Raises Problem where as many watch as may."""
        if grant.session is None:
            grant = replace(grant, session=ids.new("ps"))
            if grant.limits.sessions is not None:
                self._admit(asset, grant, grant.session or "", facts, begins=True)
        return self.tokens.mint_session(grant, asset.duration_s)

    def refused(self, problem: Problem) -> None:
        """Counts a refusal."""
        reason = problem.reason if isinstance(problem, Blocked) else problem.code.removeprefix("playback-")
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def _admit(self, asset: Asset, grant: Grant, session: str, facts: Facts, *, begins: bool = False) -> None:
        viewer = grant.limits.viewer
        name = (asset.project_id, viewer) if viewer else grant.token_id
        device = facts.ip, facts.agent
        if not self.viewers.admit(name, session, device, grant.limits.sessions or 0, begins=begins):
            raise Blocked("sessions", TOO_MANY)

    def _restriction(self, asset: Asset, id: str) -> Restriction:
        found = self.restrictions.peek(id)
        if found is None or found.project_id != asset.project_id:
            raise Blocked("restriction", UNKNOWN_RESTRICTION)
        return found

    def _restrictions_of(self, asset: Asset, token: str | None) -> Iterator[str]:
        try:
            grant = self.grant(asset, token, AUDIENCES) if token else None
        except Problem:
            grant = None
        yield from _named(asset, grant)


def _named(asset: Asset, grant: Grant | None) -> Iterator[str]:
    if asset.restriction_id is not None:
        yield asset.restriction_id
    if grant is not None and grant.limits.restriction is not None:
        yield grant.limits.restriction
