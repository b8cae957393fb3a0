"""Where tracks beside the master are cut: their segments end where its do, however much later their samples come.

    VideoFollower        other pictures: parts as if alone, segments at the first picture at or after the master's cut
    AudioFollower        sound: cut where the pictures are cut, at the frame nearest
    TimedAudioFollower   the same, of frames whose length may change

`push` takes a sample, `cut` tells where the master was cut, in the follower's ticks; both answer what is cut by it.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from server.formats.sample import Sample
from server.packager.part_target import PartTarget
from server.packager.segmenter import Cut, Lengths, PictureParts

# Pictures that wait for the master to be cut, or sound: what is more is of a track that runs away from it.
MAX_WAITING = 4_096


class Follower(Protocol):
    """What `live` asks of each."""

    @property
    def part_target(self) -> PartTarget | None: ...

    @property
    def owed_since(self) -> int | None:
        """The end of the oldest segment that its samples have not reached yet."""
        ...

    def push(self, sample: Sample) -> Sequence[Cut]: ...

    def cut(self, at: int, last: bool) -> Sequence[Cut]: ...

    def give_up(self) -> Sequence[Cut]:
        """Closes that segment with what it has; what comes of it later is left out."""
        ...

    def flush(self, end: int) -> Sequence[Cut]:
        """Closes all that is due, and the last segment, which the master ended at `end`."""
        ...


class VideoFollower(PictureParts):
    """Other pictures of one generation; the first must be a key frame.

    A key frame is placed by when it is shown, so that one that the master's cut asked for begins its segment.
    """

    def __init__(self, timescale: int, lengths: Lengths, part_target: PartTarget | None = None) -> None:
        super().__init__(timescale, lengths, part_target)
        self._waiting: deque[Sample] = deque()
        self._ends: deque[int] = deque()  # of segments, as the master says
        self._reached = 0  # by the master's cuts
        self._not_before = 0
        self._rounding = timescale // 1000

    @property
    def owed_since(self) -> int | None:
        return self._ends[0] if self._ends else None

    def push(self, sample: Sample) -> Sequence[Cut]:
        if sample.dts < self._not_before and not (sample.key and sample.pts >= self._not_before):
            return ()
        self._waiting.append(sample)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
        return self._take_passed()

    def cut(self, at: int, last: bool) -> Sequence[Cut]:
        self._reached = at
        if last:
            self._ends.append(at)
        return self._take_passed()

    def give_up(self) -> Sequence[Cut]:
        if not self._ends:
            return ()
        self._not_before = self._ends.popleft()
        return (self._close(self._not_before, None),)

    def flush(self, end: int) -> Sequence[Cut]:
        cuts = list(self.cut(end + self._lengths.slack, last=True))
        while self._ends:
            cuts.append(self._close(self._ends.popleft(), None))
        self._waiting.clear()
        return cuts

    def _take_passed(self) -> Sequence[Cut]:
        """Takes the pictures that the master has passed."""
        cuts: list[Cut] = []
        waiting = self._waiting
        while waiting:
            sample = waiting[0]
            while self._ends and self._belongs_after(sample, self._ends[0]):
                cuts.append(self._close(self._ends.popleft(), sample.dts))
            if sample.dts > self._reached + self._rounding:
                break
            self._append(waiting.popleft(), cuts)
        return cuts

    def _append(self, sample: Sample, cuts: list[Cut]) -> None:
        samples = self._samples
        if samples:
            self._step = sample.dts - samples[-1].dts
            if self._ends_part(sample.dts):
                cuts.append(self._cut(sample.dts, last=False))
        elif self._part_index == 0:
            self._segment_start = sample.dts
        self._samples.append(sample)
        self._part_bytes += len(sample.data)

    def _belongs_after(self, sample: Sample, end: int) -> bool:
        if sample.key:
            return sample.pts >= end - max(self._rounding, self._step // 2)
        return sample.dts >= end - self._rounding

    def _close(self, end: int, next_dts: int | None) -> Cut:
        """The segment ends where the next picture begins, unless that is far from the master's cut."""
        if self._samples:
            last, step = self._samples[-1].dts, self._step or self._timescale // 30
            if next_dts is None:
                end = min(last + step, end)
            elif next_dts - end <= 2 * step:
                end = next_dts
            end = max(end, last + 1)
        return self._cut(end, last=True)


class AudioFollower:
    """Sound of one generation beside a master. Frames of equal length."""

    def __init__(self, frame: int, lengths: Lengths, part_target: PartTarget) -> None:
        self.part_target = part_target
        self._frame = frame
        self._overhang = lengths.slack
        self._frames_at_most = part_target.longest // frame
        self._samples: list[Sample] = []
        self._cuts: deque[tuple[int, bool]] = deque()
        self._end: int | None = None  # of the last frame taken

    @property
    def owed_since(self) -> int | None:
        return next((at for at, last in self._cuts if last), None)

    def push(self, sample: Sample) -> Sequence[Cut]:
        cuts: list[Cut] = []
        if self._samples and sample.dts != self._end:  # a hole that could not be filled ends the part
            cuts += self._take(len(self._samples), last=False, all_of_it=True)
        self._samples.append(sample)
        self._end = sample.dts + self._frame
        if self._cuts:
            cuts += self._due()
        return cuts

    def cut(self, at: int, last: bool) -> Sequence[Cut]:
        self._cuts.append((at, last))
        return self._due()

    def give_up(self) -> Sequence[Cut]:
        cuts: list[Cut] = []
        while self._cuts and not (cuts and cuts[-1].last):
            cuts += self._take_until(*self._cuts.popleft())
        return cuts

    def flush(self, end: int) -> Sequence[Cut]:
        cuts: list[Cut] = []
        while self._cuts:
            cuts += self._take_until(*self._cuts.popleft())
        room = (end + self._overhang - self._start_of_rest(end)) // self._frame
        cuts += self._take(max(0, min(len(self._samples), room)), last=True)
        self._samples = []
        return cuts

    def _start_of_rest(self, otherwise: int) -> int:
        return self._samples[0].dts if self._samples else otherwise

    def _due(self) -> list[Cut]:
        cuts: list[Cut] = []
        while self._cuts and self._end is not None and self._end >= self._cuts[0][0] - self._frame // 2:
            cuts += self._take_until(*self._cuts.popleft())
        return cuts

    def _take_until(self, at: int, last: bool) -> list[Cut]:
        count = (at - self._start_of_rest(at) + self._frame // 2) // self._frame
        return self._take(max(0, min(count, len(self._samples))), last)

    def _take(self, count: int, last: bool, all_of_it: bool = False) -> list[Cut]:
        """The first `count` frames in parts of legal length; a small rest waits for the next part."""
        cuts = []
        while count > self._frames_at_most:
            cuts.append(self._part(self._frames_at_most, last=False))
            count -= self._frames_at_most
        keep = cuts and not last and not all_of_it and count < self._frames_at_most // 2
        if last or (count and not keep):
            cuts.append(self._part(count, last))
        return cuts

    def _part(self, count: int, last: bool) -> Cut:
        samples, self._samples = self._samples[:count], self._samples[count:]
        end = samples[-1].dts + self._frame if samples else self._start_of_rest(self._end or 0)
        return Cut(samples, end, last)


class TimedAudioFollower:
    """Sound of one generation beside a master. A frame lasts until the next one."""

    def __init__(self, frame: int, lengths: Lengths, part_target: PartTarget) -> None:
        """`frame` is a usual length."""
        self.part_target = part_target
        self._step = frame  # how long the last frame was
        self._overhang = lengths.slack
        self._samples: list[Sample] = []
        self._cuts: deque[tuple[int, bool]] = deque()

    @property
    def owed_since(self) -> int | None:
        return next((at for at, last in self._cuts if last), None)

    def push(self, sample: Sample) -> Sequence[Cut]:
        cuts: list[Cut] = []
        samples = self._samples
        if samples:
            step = sample.dts - samples[-1].dts
            if step > self.part_target.longest:  # a hole that could not be filled ends the part
                cuts += self._take(len(samples), samples[-1].dts + self._step, last=False, all_of_it=True)
            else:
                self._step = step
        self._samples.append(sample)
        if len(self._samples) > MAX_WAITING:
            self._samples.pop(0)
        if self._cuts:
            cuts += self._due()
        return cuts

    def cut(self, at: int, last: bool) -> Sequence[Cut]:
        self._cuts.append((at, last))
        return self._due()

    def give_up(self) -> Sequence[Cut]:
        cuts: list[Cut] = []
        while self._cuts and not (cuts and cuts[-1].last):
            cuts += self._take_until(*self._cuts.popleft())
        return cuts

    def flush(self, end: int) -> Sequence[Cut]:
        cuts: list[Cut] = []
        while self._cuts:
            cuts += self._take_until(*self._cuts.popleft())
        count = self._count_before(end + self._overhang)
        cuts += self._take(count, self._end_of(count), last=True)
        self._samples = []
        return cuts

    def _due(self) -> list[Cut]:
        cuts: list[Cut] = []
        while self._cuts and self._samples and self._samples[-1].dts >= self._cuts[0][0]:
            cuts += self._take_until(*self._cuts.popleft())
        return cuts

    def _take_until(self, at: int, last: bool) -> list[Cut]:
        count = self._count_before(at)
        end = self._end_of(count)
        if count and end - at > at - self._samples[count - 1].dts:  # the frame before is nearer
            count -= 1
            end = self._samples[count].dts
        return self._take(count, end, last) if count or last else []

    def _count_before(self, at: int) -> int:
        return next((count for count, sample in enumerate(self._samples) if sample.dts >= at), len(self._samples))

    def _end_of(self, count: int) -> int:
        """Of the first `count` frames: where the next one begins, unless there is none or a hole before it."""
        samples = self._samples
        if not count:
            return samples[0].dts if samples else 0
        guess = samples[count - 1].dts + self._step
        return samples[count].dts if count < len(samples) else guess

    def _take(self, count: int, end: int, last: bool, all_of_it: bool = False) -> list[Cut]:
        """The first `count` frames, which end at `end`, in parts of legal length; a small rest waits for the next."""
        taken, rest = self._samples[:count], self._samples[count:]
        cuts: list[Cut] = []
        begin = 0
        for index in range(1, count):
            after = taken[index + 1].dts if index + 1 < count else end
            if after - taken[begin].dts > self.part_target.longest:
                cuts.append(Cut(taken[begin:index], taken[index].dts, last=False))
                begin = index
        if cuts and not last and not all_of_it and end - taken[begin].dts < self.part_target.longest // 2:
            rest = taken[begin:] + rest
        else:
            cuts.append(Cut(taken[begin:], end, last))
        self._samples = rest
        return cuts
