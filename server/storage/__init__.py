"""Bytes on disk: where they lie, how they get there, and when they are swept away.

In charge of paths, durability and free space. Must not know rows, protocols, or what the bytes mean.
"""
