"""The child of sandbox_check, with nothing that keeps it in."""

from server.media import guard
from server.media.sandbox_check import work

if __name__ == "__main__":
    guard.run(work, None)
