"""The other side of formats/bits: writes the fields that the parsers read."""


class BitWriter:
    def __init__(self) -> None:
        self.bits: list[int] = []

    def u(self, width: int, value: int) -> "BitWriter":
        self.bits += [value >> at & 1 for at in reversed(range(width))]
        return self

    def ue(self, value: int) -> "BitWriter":
        width = (value + 1).bit_length()
        return self.u(width - 1, 0).u(width, value + 1)

    def se(self, value: int) -> "BitWriter":
        return self.ue(2 * value - 1 if value > 0 else -2 * value)

    def bytes(self) -> bytes:
        """Padded with zeros to whole bytes."""
        bits = self.bits + [0] * (-len(self.bits) % 8)
        return bytes(int("".join(map(str, bits[at : at + 8])), 2) for at in range(0, len(bits), 8))


def escaped(payload: bytes) -> bytes:
    """With emulation prevention bytes (H.264 7.4.1)."""
    out = bytearray()
    for byte in payload:
        if byte <= 3 and out[-2:] == b"\0\0":
            out.append(3)
        out.append(byte)
    return bytes(out)
