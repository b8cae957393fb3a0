"""How long `sluice serve` takes until its ready line."""

import time

from tests.bench.bench import Bench
from tests.bench.processes import Meter

TARGET_S = 5.0


async def run(bench: Bench) -> None:
    """The second start and later ones: the data folder and its database are there."""
    with bench.server("startup") as server:
        for number in range(bench.settings.starts):
            server.stop()
            meter, began = Meter(), time.monotonic()
            server.start()
            took_s = time.monotonic() - began
            bench.add(
                f"start {number + 2} to the ready line", took_s, "s", target=TARGET_S,
                other_cores=meter.read().other_cores,
            )  # fmt: skip
