"""MPEG-TS: transport packets to access units of elementary streams, and samples to transport packets.

    demuxer: bytes → psi (which PIDs there are) · pes (timestamps) → Unit        writer: Sample → pes → packets

Pure: bytes in, values out. It must not know codecs beyond their names in the program map; what is within a unit is
read by media.mpegts. Source: ISO/IEC 13818-1, "the standard" below.
"""

PACKET = 188  # bytes of a transport packet (2.4.3.2)
SYNC = 0x47
CLOCK = 90_000  # ticks a second of timestamps
WRAP = 1 << 33  # their modulus
