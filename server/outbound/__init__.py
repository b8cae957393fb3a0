"""Calls of the server's own to hosts that its users name: URLs to fetch from, and whatever else is called for them.

In charge of who may be called: never what only this machine or its network reaches, whatever a name resolves to and
wherever a redirect leads. Must not know what the calls are for.

aiohttp's client lives here, as its server does in web: one door out, so that there is one lock on it.
"""
