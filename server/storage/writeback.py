"""Dirty pages sent on their way to the disk, without waiting until they are there.

Source: sync_file_range(2), which Python does not have. It promises nothing: what has to be on disk is synced besides.
"""

import ctypes
from collections.abc import Callable

_WRITE = 2  # SYNC_FILE_RANGE_WRITE


def _found() -> Callable[[int, int, int, int], int] | None:
    try:
        call = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    call.restype = ctypes.c_int
    found: Callable[[int, int, int, int], int] = call
    return found


_sync_file_range = _found()


def begin(descriptor: int, offset: int, count: int) -> None:
    """Writing back of these bytes begins, where the system can do that. Blocks while the disk's queue is full."""
    if _sync_file_range is not None and count > 0:
        _sync_file_range(descriptor, offset, count, _WRITE)  # an error shows at the sync, too
