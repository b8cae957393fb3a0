"""Restreaming: what is on air, passed on as it is to other platforms over RTMP(S) and SRT.

In charge of: the targets of each broadcast, their connections, their states, when to call again. Each target reads the
stream by itself and never makes it, or another target, wait. It must not know HTTP, publishers, or who is allowed what;
and the keys of targets never leave it, neither for a log nor for an event.

    restreams (the service) → target (one life: connect, broadcast, wait) → rtmp_link | srt_link → protocols
"""
