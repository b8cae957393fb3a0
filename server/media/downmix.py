"""Sound of many channels as stereo, as loud as it was and without clipping. Runs in children only: it imports av.

    left  = FL + 0.707 FC + 0.707 (BL, SL)        ITU-R BS.775: what is in the middle or behind comes from two
    right = FR + 0.707 FC + 0.707 (BR, SR)        loudspeakers, each 3 dB lower; the low-frequency channel is left out

The sum is not turned down as a whole, which would make every film of six channels 7.7 dB quieter than its stereo
neighbours; where all speak at once it may pass full scale, and there a limiter holds it at LIMIT for some milliseconds.
"""

from collections.abc import Iterator

from av.audio.frame import AudioFrame
from av.error import BlockingIOError, EOFError
from av.filter import Graph

MIX = 0.7071
LIMIT = 0.891  # -1 dB of full scale: what the coder adds has room
ATTACK_MS, RELEASE_MS = 5, 50


class Downmix:
    """As an AudioResampler: `resample(frame)`, and `resample(None)` for what is held back."""

    def __init__(self, like: AudioFrame, layout: str, rate: int) -> None:
        self._graph = graph = Graph()
        source = graph.add_abuffer(
            format=like.format.name, sample_rate=like.sample_rate, layout=like.layout.name, time_base=like.time_base
        )
        # In floats all the way: libav turns sums of integers down by itself.
        mixing = f"osf=fltp:tsf=fltp:out_chlayout={layout}:osr={rate}:clev={MIX}:slev={MIX}:lfe_mix_level=0"
        limiting = f"level=disabled:limit={LIMIT}:attack={ATTACK_MS}:release={RELEASE_MS}:latency=1"
        chain = [
            source,
            graph.add("aresample", mixing),
            graph.add("alimiter", limiting),
            graph.add("aformat", f"sample_fmts=fltp:sample_rates={rate}:channel_layouts={layout}"),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*chain).configure()

    def resample(self, frame: AudioFrame | None) -> list[AudioFrame]:
        self._graph.push(frame)
        return list(self._made())

    def _made(self) -> Iterator[AudioFrame]:
        while True:
            try:
                made = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            if isinstance(made, AudioFrame):
                yield made
