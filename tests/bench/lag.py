"""Asks for /healthz at a fixed pace and prints how long the answers took, as JSON.

A process of its own, so that nobody's event loop but the server's is in the way. What it finds is at least the lag of
that loop: a request waits for whatever the loop is at, and then for its own answer.

    python -m tests.bench.lag http://127.0.0.1:8080/healthz SECONDS
"""

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

from tests.bench.report import quantile

EVERY_S = 0.05


def watch(url: str, seconds: float) -> list[float]:
    """Milliseconds of each answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    took_ms = []
    began = time.monotonic()
    for number in range(int(seconds / EVERY_S)):
        time.sleep(max(0.0, began + number * EVERY_S - time.monotonic()))
        asked = time.perf_counter()
        connection.request("GET", parts.path)
        connection.getresponse().read()
        took_ms.append((time.perf_counter() - asked) * 1000)
    connection.close()
    return took_ms


if __name__ == "__main__":
    found = watch(sys.argv[1], float(sys.argv[2]))
    names = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "max_ms": 1.0}
    print(json.dumps({"n": len(found), **{name: round(quantile(found, q), 2) for name, q in names.items()}}))
