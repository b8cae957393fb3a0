"""Tests and all they start keep to their place in the queue for the processor.

SVT-AV1 gives the thread that opens it the highest real-time priority where it may, as root may: from then on a test
process, and every server it starts, would stand before all others on the machine.
"""

import ctypes
import os
import struct

CAP_SYS_NICE = 23  # capabilities(7)
PR_CAPBSET_DROP = 24  # prctl(2)
VERSION_3 = 0x20080522  # capget(2): 64 capabilities, in two rows of effective, permitted and inheritable ones


def give_up() -> None:
    """The right to a higher priority: of this thread, of those it starts, and of programs."""
    if os.geteuid() != 0:
        return  # others have none
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("=Ii", VERSION_3, 0))
    held = ctypes.create_string_buffer(struct.calcsize("=6I"))
    if libc.capget(header, held) != 0:
        return
    low, high = struct.unpack("=3I", held.raw[:12]), held.raw[12:24]
    kept = struct.pack("=3I", *(each & ~(1 << CAP_SYS_NICE) for each in low)) + high
    libc.capset(header, ctypes.create_string_buffer(kept))
