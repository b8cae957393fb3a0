"""`python -m tests.bench [case …] [--quick] [--set name=value …]`."""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from tests.bench import (
    api,
    delivery,
    density,
    ladder,
    latency,
    lists,
    srt,
    startup,
    thumbnails,
    titles,
    tus,
    viewers,
    vod,
    webhooks,
    workers,
)
from tests.bench.bench import WORK, Bench, Settings
from tests.bench.report import Log, table

CASES: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "startup": startup.run,
    "density": density.run,
    "srt": srt.run,
    "latency": latency.run,
    "vod": vod.run,
    "ladder": ladder.run,
    "workers": workers.run,
    "titles": titles.run,
    "thumbnails": thumbnails.run,
    "tus": tus.run,
    "delivery": delivery.run,
    "viewers": viewers.run,
    "webhooks": webhooks.run,
    "lists": lists.run,
    "api": api.run,
}
FIGURES = WORK.parent / "bench.jsonl"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measures the server; prints tables.")
    parser.add_argument("cases", nargs="*", metavar="case", help=f"{', '.join(CASES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="short holds: a look, not a result")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of bench.py")
    arguments = parser.parse_args()
    if unknown := [case for case in arguments.cases if case not in CASES]:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    settings = Settings().quick() if arguments.quick else Settings()
    try:
        arguments.settings = settings.changed(arguments.set)
    except ValueError as error:
        parser.error(str(error))
    return arguments


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


async def _run(case: str, settings: Settings, log: Log) -> bool:
    """Whether all answers were right."""
    bench = Bench(case, settings, log)
    bench.say("begins")
    try:
        await CASES[case](bench)
    except Exception as error:
        bench.fault(repr(error))
    print(f"\n{case}\n{table(bench.figures)}\n", flush=True)
    return not bench.wrong


def main() -> int:
    arguments = _arguments()
    began = time.strftime("%Y-%m-%dT%H:%M:%S")
    log = Log(FIGURES, {"run": began, "commit": _commit(), "cores": os.cpu_count(), "quick": arguments.quick})
    right = [asyncio.run(_run(case, arguments.settings, log)) for case in arguments.cases or CASES]
    log.say(f"done; every figure is in {FIGURES.relative_to(os.getcwd())}")
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
