"""Bytes to values and back: FLV, AMF0, AVC, AAC, fMP4, M3U8.

No clock, no disk, no event loop; a function here can be called with any bytes and raises only its own error.
"""
