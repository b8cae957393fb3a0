"""How much of everything one peer may ask for, with the reason for each number."""

from dataclasses import dataclass

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. Over a limit the connection closes, unless the field says otherwise."""

    message: int = 8 * MIB
    """One message: the largest key frames, 8K intra-only ones, stay below 5 MB."""

    partial: int = 16 * MIB
    """Unfinished messages together: two of the largest."""

    chunk_streams: int = 64
    """Encoders use three to six; each costs us a few hundred bytes."""

    command: int = 16 * KIB
    """A command: connect, the largest, takes under 1 KiB."""

    data: int = 256 * KIB
    """A data message (onMetaData, captions): longer ones are skipped, never an error."""

    unasked: int = 512 * KIB
    """Media sent between `publish` and its acceptance is kept up to this, then dropped."""

    messages_at_once: int = 4096
    """Messages in one piece of input: some 10 ms of work; audio and video take forty seconds for as many."""

    decoded_at_once: int = 16
    """Commands and onMetaData in one piece of input: at most 1 ms each. Data is skipped beyond, never an error."""

    aggregated: int = 4096
    """Tags in one aggregate message: as above."""

    commands: int = 64
    """Commands of one who does not publish (yet): a publisher sends five before it starts."""

    name: int = 1 * KIB
    """Characters of the app and of the stream key with its query."""

    output: int = 16 * KIB
    """Answers the caller has not taken yet: a whole session's, handshake included, are under 5 KiB."""

    publish_timeout_s: float = 5.0
    """From the opened connection to `publish`, from there to our answer, and from the end to the peer's close."""

    idle_timeout_s: float = 10.0
    """Silence of a publisher. Encoders send audio or video many times a second; TCP alone notices too late."""


DEFAULT_LIMITS = Limits()
