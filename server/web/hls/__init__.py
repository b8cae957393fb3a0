"""Watching: manifests, playlists, segments and images of live streams and videos, each behind the gate.

    gate    which asset, may this request watch it, where do its tokens lead
    files   bytes as answers: ranges, ETags, how long a cache may keep them
    live    windows on air        vod    videos, recorded and uploaded        images    posters
    movies  videos as files: the source, and progressive MP4 of a rendition
    texts   captions and chapters as files      captions    captions as renditions
    annotations   what the player shows over the pictures
    live_media    what a request for a live rendition gets, decided without HTTP
    quick         the same answers straight from the connection: what every viewer asks for several times a second

No database on the way of a segment, and no thread for what is in memory.
"""
