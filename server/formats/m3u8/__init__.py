"""HLS playlists as values and text (RFC 8216bis): attribute lists, media playlists, multivariant playlists.

It renders what it is told and computes nothing: windows, hold-backs and target durations are the packager's.
Durations are seconds here and nowhere below, because the text speaks in seconds.
"""
