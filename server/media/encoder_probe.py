"""The child that tries an encoder.

    arguments  {"encoder": name}
    events     {"event": "tried", "fault": null or a sentence}
"""

from typing import Any

import av.logging

from server.media import guard
from server.media.encoders import works


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    av.logging.set_level(None)
    say({"event": "tried", "fault": works(arguments["encoder"])})


if __name__ == "__main__":
    guard.run(work, "drivers")
