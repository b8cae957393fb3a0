"""A recent ffmpeg (9, of the imageio-ffmpeg wheel), which speaks Enhanced RTMP and SRT; Debian's is older."""

import subprocess
from dataclasses import dataclass

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
FPS = 15
GOP = 15  # pictures

# An encoder's options by codec: quick ones, a key frame each second.
ENCODERS = {
    "h264": ("libx264", "-preset", "ultrafast", "-g", str(GOP)),
    "hevc": ("libx265", "-preset", "ultrafast", "-x265-params", f"log-level=none:keyint={GOP}"),
    "av1": ("libsvtav1", "-preset", "12", "-g", str(GOP)),
    "vp9": ("libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", str(GOP)),
    "aac": ("aac",),
    "opus": ("libopus",),
    "flac": ("flac",),
    "ac3": ("ac3",),
}


@dataclass
class Encoder:
    """A running ffmpeg that makes pictures and tones and publishes them in real time."""

    process: subprocess.Popen[str]

    @classmethod
    def publish(
        cls, url: str, video: tuple[str, ...], audio: tuple[str, ...], seconds: float = 5, options: tuple[str, ...] = ()
    ) -> "Encoder":
        """One track for each codec named; pictures get smaller from track to track, tones higher."""
        inputs, codecs = [], []
        for index in range(len(video)):
            size = f"{160 >> index}x{96 >> index}"
            inputs += ["-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={FPS}:duration={seconds}"]
        for index in range(len(audio)):
            tone = f"sine=frequency={440 * (index + 1)}:sample_rate=48000:duration={seconds}"
            inputs += ["-re", "-f", "lavfi", "-i", tone]
        for kind, names in (("v", video), ("a", audio)):
            for index, name in enumerate(names):
                encoder, *more = ENCODERS[name]
                codecs += [f"-c:{kind}:{index}", encoder, *_only(kind, index, more)]
        maps = [part for index in range(len(video) + len(audio)) for part in ("-map", str(index))]
        command = [
            FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "error", *inputs, *maps, *codecs, "-pix_fmt", "yuv420p",
            "-ac", "2", *options, "-f", "flv", url,
        ]  # fmt: skip
        return cls(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))

    def wait(self, timeout_s: float = 90) -> str:
        """Its end; what it said. Raises if it failed."""
        _, said = self.process.communicate(timeout=timeout_s)
        assert self.process.returncode == 0, said[-2000:]
        return said

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=60)


def _only(kind: str, index: int, options: list[str]) -> list[str]:
    """Options for one stream alone."""
    return [f"{part}:{kind}:{index}" if at % 2 == 0 else part for at, part in enumerate(options)]
