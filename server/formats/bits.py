"""Reading big-endian bit fields and Exp-Golomb codes out of short headers (SPS, AudioSpecificConfig)."""

MAX_GOLOMB_ZEROS = 31  # ue(v) of H.264 fits 32 bits (ITU-T H.264 7.2); more zeros is rubbish


class BitsError(ValueError):
    """The field reads past the end of the data, or is no legal code."""


class BitReader:
    """A cursor over `data`, most significant bit first."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = len(data) * 8

    @property
    def left(self) -> int:
        """Bits not yet read."""
        return self._end - self._position

    def fork(self) -> "BitReader":
        """Another cursor at the same place."""
        other = BitReader(self._data)
        other._position = self._position
        return other

    def u(self, bits: int) -> int:
        """The next `bits` bits as an unsigned integer."""
        start, stop = self._position, self._position + bits
        if stop > self._end:
            raise BitsError(f"needs {bits} bits, {self.left} are left")
        self._position = stop
        last = (stop + 7) >> 3
        window = int.from_bytes(self._data[start >> 3 : last], "big")
        return (window >> (last * 8 - stop)) & ((1 << bits) - 1)

    def flag(self) -> bool:
        return self.u(1) == 1

    def skip(self, bits: int) -> None:
        self.u(bits)

    def ue(self) -> int:
        """Unsigned Exp-Golomb code (ITU-T H.264 9.1)."""
        window = min(self.left, MAX_GOLOMB_ZEROS + 1)
        zeros = window - self.u(window).bit_length()
        self._position -= window
        if zeros > MAX_GOLOMB_ZEROS:
            raise BitsError("Exp-Golomb code longer than 32 bits")
        self.skip(zeros + 1)
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Signed Exp-Golomb code (ITU-T H.264 9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)

    def align(self) -> None:
        """Skips to the next byte boundary."""
        self._position = (self._position + 7) & ~7
