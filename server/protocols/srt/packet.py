"""Headers of packets, sequence numbers and lists of them (the draft, 3 and Appendix A)."""

from typing import TypeAlias

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""As asyncio gives it: host and port, for IPv6 also flow and scope."""
