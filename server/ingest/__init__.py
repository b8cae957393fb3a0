"""Publishers in: who may publish, the broadcast they publish into, and the sockets they come through.

`broadcasts` holds the life cycle (connecting, live, interrupted, ended, recorded) and is the only writer of it;
`rtmp` is the thin I/O around `protocols.rtmp`. It must not know HTTP, playlists' text or how a file is spelled.
"""
