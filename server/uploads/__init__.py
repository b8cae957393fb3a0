"""Uploads from their creation to the job that looks at what came: over tus, as requests with parts, or fetched by URL.

In charge of who may write an upload and when, its life cycle, and its video's until all bytes are there. Must not
know HTTP (it is given commands, chunks, file names and replies) nor what the bytes mean.

What is on disk is the truth: an upload whose bytes are all there is finished by whoever looks at it next, so nothing
depends on a process living from the last byte to the commit.
"""
