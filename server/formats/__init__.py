"""Bytes to values and back: containers (FLV, MPEG-TS, fMP4), playlists (M3U8, MPD), codecs' records and headers, AMF0.

No clock, no disk, no event loop; a function here can be called with any bytes and raises only its own error.
"""
