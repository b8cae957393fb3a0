"""How many attempts go on at once: in all, and for each endpoint, so that none takes the places of others."""

from server.webhooks import verdicts
from server.webhooks.verdicts import Health

IN_FLIGHT_LIMIT = 512  # attempts at once; an endpoint that has none may have one beyond it


class Places:
    """`in_flight` is how many are taken."""

    def __init__(self, concurrency: int, limit: int = IN_FLIGHT_LIMIT) -> None:
        self._concurrency = concurrency
        self._limit = limit
        self._taken: dict[str, int] = {}
        self._slow: dict[str, int] = {}  # how many an endpoint has, where fewer than others
        self.in_flight = 0

    def free(self, endpoint: str, landed: int = 0, coming: int = 0) -> int:
        """`landed`: how many of those taken are about to be given back; `coming`: how many others are about to take
        one."""
        taken = self._taken.get(endpoint, 0) - landed
        own = max(0, self._slow.get(endpoint, self._concurrency) - taken)
        return min(own, max(self._limit - (self.in_flight - landed + coming), 0 if taken else 1))

    def take(self, endpoint: str) -> None:
        self.in_flight += 1
        self._taken[endpoint] = self._taken.get(endpoint, 0) + 1

    def give_back(self, endpoint: str) -> None:
        self.in_flight -= 1
        self._taken[endpoint] -= 1
        if not self._taken[endpoint]:
            del self._taken[endpoint]

    def adapt(self, endpoint: str, health: Health) -> None:
        """To how it does."""
        places = verdicts.places(health, self._concurrency)
        if places < self._concurrency:
            self._slow[endpoint] = places
        else:
            self._slow.pop(endpoint, None)

    def forget(self, endpoint: str) -> None:
        """It is gone."""
        self._slow.pop(endpoint, None)
