"""From a broadcast to a video: the live segments themselves, found again through their journals.

Nothing is copied or re-muxed. It must not know HTTP or how a publisher is let in.
"""
