"""From samples to what players fetch: parts, segments, init segments, playlists; for live and on demand.

It decides where to cut and what the playlists say. It knows no sockets, files, tokens or rows: bytes and times come in,
bytes and text go out.
"""
