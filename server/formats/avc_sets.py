"""Parameter sets of several streams of H.264 in one `avcC`, so that one track can hold what each of them was coded to.

Sources: ITU-T H.264 7.3.2.1.1 and 7.3.2.2 (ids), ISO/IEC 14496-15 5.3.3.1 (a record holds all sets of a track).
"""

from collections.abc import Sequence

from server.formats.avc import AvcDecoderConfiguration, AvcError, record_of
from server.formats.bits import BitReader, BitsError

SPS_ID_AT, PPS_ID_AT = 4, 1  # bytes before the id: the header, and profile, constraints and level of an SPS
LENGTH_SIZE = 4
MAX_ID = 30  # that both kinds of sets may have, of a record that has room for 31 SPS


def set_ids(record: bytes) -> frozenset[int]:
    """What the record's parameter sets of either kind go by. Raises AvcError."""
    parsed = AvcDecoderConfiguration.parse(record)
    return frozenset((*_ids(parsed.sps, SPS_ID_AT), *_ids(parsed.pps, PPS_ID_AT)))


def merged(records: Sequence[bytes]) -> bytes:
    """The record of a track of pictures that these were for: all their sets, under the highest profile and level.

    Raises AvcError where different sets go by one id, or units have lengths of other than four bytes.
    """
    parsed = [AvcDecoderConfiguration.parse(record) for record in records]
    if any(each.length_size != LENGTH_SIZE for each in parsed):
        raise AvcError(f"lengths of NAL units that are not {LENGTH_SIZE} bytes")
    parsed.sort(key=lambda each: -each.profile)  # the first one's profile is the record's
    sps = tuple(dict.fromkeys(unit for each in parsed for unit in each.sps))
    pps = tuple(dict.fromkeys(unit for each in parsed for unit in each.pps))
    for name, ids in (("SPS", _ids(sps, SPS_ID_AT)), ("PPS", _ids(pps, PPS_ID_AT))):
        if len(set(ids)) < len(ids):
            raise AvcError(f"different {name} of one id")
    made = bytearray(record_of(sps, pps))
    made[3] = max(each.level for each in parsed)
    return bytes(made)


def _ids(units: Sequence[bytes], at: int) -> list[int]:
    """No emulation prevention comes before the id: what precedes it has no two zero bytes in a row."""
    try:
        return [BitReader(unit[at:]).ue() for unit in units]
    except BitsError as error:
        raise AvcError(f"parameter sets: {error}") from None
