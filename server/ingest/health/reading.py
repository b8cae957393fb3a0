"""What is read of a publisher once a second: counters as they stand, and what it announced."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """What the transport counts, where it counts: SRT does. Packets since the connection began."""

    rtt_ms: float = 0.0
    latency_ms: float = 0.0
    received: int = 0
    lost: int = 0  # found missing, whether or not they came in the end
    dropped: int = 0  # never came
    undecryptable: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts are since the broadcast began in this process; a counter that falls belongs to a new connection."""

    at: float  # seconds, monotonic
    bytes: int = 0
    video_frames: int = 0
    audio_frames: int = 0
    has_video: bool = False
    has_audio: bool = False
    silent_s: float = 0.0  # since anything came
    key_intervals: tuple[float, ...] = ()  # seconds between the last key frames, newest last
    keyless_s: float = 0.0  # since the last key frame, or since the publisher came
    skew_ms: int | None = None  # by how much sound is ahead of the pictures
    dropped: int = 0  # samples that could not be placed
    late_audio: int = 0
    repaired: int = 0  # timestamps
    jumps: int = 0  # of the clock, and changes of configuration
    silence_ms: int = 0  # put in for missing sound
    stand_ins: int = 0  # key frames shown again for missing pictures
    returns: int = 0  # times that an encoder came again
    announced_frame_rate: float | None = None
    announced_bitrate: float | None = None  # bits a second, pictures and sound
    codec: str = ""  # of the pictures
    incomplete: bool = False  # segments are missing on disk
    backup_gone: bool = False  # a second encoder was connected and is not
    given_up: str = ""  # lower renditions that were to be made and are not, by name
    link: Link | None = None
