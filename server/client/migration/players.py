"""Players of a library elsewhere: each made here once, known by its other id in its name."""

from collections.abc import Callable

from server import ids
from server.client import forms
from server.client.api import Api, at
from server.client.migration.calling import once
from server.client.migration.library import SourcePlayer
from server.client.migration.results import Taken
from server.client.refusals import Refused

NAME_CHARS = 100


class Players:
    """`picture` downloads one, and raises Refused; `tell` hears of each that is used for the first time."""

    def __init__(self, api: Api, picture: Callable[[str], bytes], tell: Callable[[Taken], None]) -> None:
        self._api = api
        self._picture = picture
        self._tell = tell
        self._known: dict[str, str] = {}  # names -> ids
        self._looked = False  # at those that there are
        self._told: set[str] = set()
        self._bare: set[str] = set()  # names of those that have no logo
        self._logos: dict[str, str] = {}  # names of those that were looked at for one -> what went wrong

    def taken(self, player: SourcePlayer, rehearsal: bool) -> Taken:
        """With its logo. Raises Refused, Unreachable."""
        self._look()
        name = _name_of(player)
        self._told.add(name)
        known = self._known.get(name)
        if rehearsal:
            return _taken(player, known, known)
        id = self.id_of(player)
        return _taken(player, known, id, self.logo(player))

    def id_of(self, player: SourcePlayer) -> str:
        """Here, where it is made if it is not there. Raises Refused, Unreachable."""
        self._look()
        name = _name_of(player)
        known = self._known.get(name)
        if known is None:
            self._known[name] = self._made(player, name)
            self._bare.add(name)
        if name not in self._told:
            self._told.add(name)
            self._tell(_taken(player, known, self._known[name]))
        return self._known[name]

    def logo(self, player: SourcePlayer | None) -> str:
        """Why it has not the logo of the library, which is sent once where there is none; what has the player is no
        less for it. Raises Refused, Unreachable where the players can't be looked at."""
        if player is None or player.logo_url is None:
            return ""
        self._look()
        name = _name_of(player)
        if name in self._bare and name not in self._logos:
            self._logos[name] = self._sent_logo(self._known[name], player, player.logo_url)
        return self._logos.get(name, "")

    def _look(self) -> None:
        """Once: there may be none."""
        if self._looked:
            return
        for one in self._api.every("/players"):
            self._known[one["name"]] = one["playerId"]
            if not one["assets"]["logo"]:
                self._bare.add(one["name"])
        self._looked = True

    def _made(self, player: SourcePlayer, name: str) -> str:
        if player.settings is None:
            made = self._api.send("POST", "/players", {"name": name, **player.attributes}, headers=once()).json
            return str(made["playerId"])
        body = {"name": name, "settings": player.settings, "ads": list(player.ads)}
        made = self._api.send("POST", "/v1/players", body, headers=once()).json
        return ids.canonical("pl", made["data"]["id"])

    def _sent_logo(self, player_id: str, player: SourcePlayer, url: str) -> str:
        link = {"link": player.logo_link} if player.logo_link.isascii() and player.logo_link else {}
        try:
            body, headers = forms.of_file(self._picture(url), "logo.png", **link)
            self._api.send("POST", at("players", player_id, "logo"), body, headers={**headers, **once()})
        except Refused as refusal:
            return f"Without its player's logo: {refusal}"
        return ""


def _taken(player: SourcePlayer, known: str | None, id: str | None, reason: str = "") -> Taken:
    return Taken(player.id, player.name, "known" if known else "new", reason=reason, kind="player", id=id)


def _name_of(player: SourcePlayer) -> str:
    mark = f" ({player.id})"
    return player.name.replace("\0", "")[: NAME_CHARS - len(mark)] + mark
