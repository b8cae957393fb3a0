"""Sans-IO conversations: bytes and time in, events and bytes out.

A protocol knows its peer, never a socket, a clock or the rest of Sluice.
"""
