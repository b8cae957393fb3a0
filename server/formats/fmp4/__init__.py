"""Fragmented MP4 (ISO/IEC 14496-12, CMAF): boxes, init segments, parts, and reading our own parts back.

One track a file. That half knows boxes, ticks and bytes; nothing of codecs beyond the sample entry it is handed.

The other half reads progressive files that strangers wrote, to cut fragments out of them: `foreign` (boxes that may
lie), `samples` and `tracks` (what a moov says), `movie` (which files are servable), `index` (the result, saved).

Neither knows segments, playlists or files.
"""
