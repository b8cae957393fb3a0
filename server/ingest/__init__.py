"""Publishers in: who may publish, the broadcast they publish into, and the sockets they come through.

`broadcasts` lets publishers in (`admission`, and before the start `rehearsals`) and `life` says who is on air
(`switch`: primary or backup); `on_air` is one broadcast and its publishers, `registry` all of them, `beginnings`,
`endings` and `restart` the edges of their lives, and `states`, the only writer of it, the rows behind them.
`recordings`, `schedules` and `slates` do what they are told over the API, `monitor` measures once a second what
`health` judges. `rtmp` and `srt` are the thin I/O around the protocols. It must not know HTTP, playlists' text or how a
file is spelled.
"""
