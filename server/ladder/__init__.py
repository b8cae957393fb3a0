"""The live ladder: lower renditions of what is on air, transcoded beside it.

In charge of: which broadcasts are transcoded on this node, their children, and what of a ladder has to be given up.
It reads streams as any reader does and hands coded pictures to the packager; whatever goes wrong here, the stream
itself goes on untouched. It must not know HTTP, publishers, or codecs' insides.
"""
