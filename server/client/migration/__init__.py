"""Taking a library over from another video API, with all that is said of its videos.

In charge of what other APIs call things, and of taking each video once: a video that was taken keeps where it came from
in its metadata, so another run knows it and does what is left. It must not know how progress is shown.
"""
