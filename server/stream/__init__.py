"""A broadcast's media on its way: one publisher writes, many readers read.

In charge of the one output clock: unwrapping, repair, generations, silence where sound is missing. It must not know
protocols, files or playlists, needs no event loop, and is told the time.
"""
