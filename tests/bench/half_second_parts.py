"""`sluice` whose mode `low` has parts of half a second, which the figure for viewers is defined by.

    python -m tests.bench.half_second_parts serve
"""

from typing import cast

from server.cli import main
from server.packager.latency import LATENCY_MODES, LatencyMode

cast(dict[str, LatencyMode], LATENCY_MODES)["low"] = LatencyMode(0.5, 1.5)

main()
