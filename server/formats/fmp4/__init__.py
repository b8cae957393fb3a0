"""Fragmented MP4 (ISO/IEC 14496-12, CMAF): boxes, init segments, parts, and reading our own parts back.

One track a file. It knows boxes, ticks and bytes; nothing of codecs beyond the sample entry it is handed, and nothing
of segments, playlists or files.
"""
