"""Publishers in: who may publish, the broadcast they publish into, and the sockets they come through.

`broadcasts` holds the life cycle (connecting, live, interrupted, ended, recorded), `on_air` one broadcast and its
publisher, and `states`, the only writer of it, the rows behind them; `rtmp` is the thin I/O around `protocols.rtmp`.
It must not know HTTP, playlists' text or how a file is spelled.
"""
