"""Pictures of high dynamic range as a display of standard range can show them: a table of colours. Pure.

    coded BT.2020 ─► light ─► less of what is brighter than paper white ─► BT.709's colours ─► coded

Paper white is 203 cd/m² (ITU-R BT.2408); it and what is darker keep nearly their light, and highlights up to PEAK are
rolled off by the curve of ITU-R BT.2390 5.4.1, on the brightest of red, green and blue, so that hues stay. What lies
outside BT.709 is clipped. The table is a Hald CLUT: a square picture whose colours are those that become of all.
"""

import math
import sys
from array import array
from functools import cache
from typing import Literal

Transfer = Literal["pq", "hlg"]

LEVEL = 6  # 36 values an axis: with fewer, bands are seen in skies
POINTS, SIDE = LEVEL**2, LEVEL**3
WHITE, PEAK = 203.0, 1000.0  # cd/m²
FULL = 0xFFFF
SDR_GAMMA = 2.4  # of displays (ITU-R BT.1886)

# ST 2084
M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
PQ_PEAK = 10_000.0
# ITU-R BT.2100 table 5, and the gamma of a display of 1,000 cd/m²
HLG_A, HLG_B, HLG_C, HLG_GAMMA = 0.17883277, 0.28466892, 0.55991073, 1.2
LUMA_2020 = 0.2627, 0.6780, 0.0593
TO_709 = (
    (1.660491, -0.587641, -0.072850),
    (-0.124550, 1.132900, -0.008349),
    (-0.018151, -0.100579, 1.118730),
)  # ITU-R BT.2087


@cache
def table(transfer: Transfer) -> "array[int]":
    """SIDE * SIDE pixels of red, green and blue in 16 bits; red changes fastest. Takes some 0.2 s."""
    axis = [number / (POINTS - 1) for number in range(POINTS)]
    lights = [_pq_light(value) if transfer == "pq" else _hlg_scene(value) for value in axis]
    found = array("H")
    for blue in lights:
        for green in lights:
            for red in lights:
                found.extend(_shown(*(_hlg_display(red, green, blue) if transfer == "hlg" else (red, green, blue))))
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _shown(red: float, green: float, blue: float) -> tuple[int, int, int]:
    """Light in cd/m² to coded values of a display that shows WHITE as its brightest."""
    brightest = max(red, green, blue)
    if brightest <= 0:
        return 0, 0, 0
    factor = _rolled_off(brightest) / brightest / WHITE
    light = red * factor, green * factor, blue * factor
    first, second, third = (sum(map(float.__mul__, row, light)) for row in TO_709)
    return _coded(first), _coded(second), _coded(third)


def _coded(light: float) -> int:
    return round(FULL * math.pow(min(1.0, max(0.0, light)), 1 / SDR_GAMMA))


@cache  # of PQ there are only as many as an axis has values
def _rolled_off(light: float) -> float:
    """BT.2390's EETF from PEAK down to WHITE."""
    peak = _pq_coded(PEAK)
    most = _pq_coded(WHITE) / peak
    value = min(1.0, _pq_coded(light) / peak)
    knee = 1.5 * most - 0.5
    if value > knee:
        t = (value - knee) / (1 - knee)
        value = (
            (2 * t**3 - 3 * t**2 + 1) * knee
            + (t**3 - 2 * t**2 + t) * (1 - knee)
            + (-2 * t**3 + 3 * t**2) * most
        )
    return _pq_light(value * peak)


def _pq_light(value: float) -> float:
    root = value ** (1 / M2)
    return PQ_PEAK * float((max(0.0, root - C1) / (C2 - C3 * root)) ** (1 / M1))


def _pq_coded(light: float) -> float:
    power = (max(0.0, light) / PQ_PEAK) ** M1
    return float(((C1 + C2 * power) / (1 + C3 * power)) ** M2)


def _hlg_scene(value: float) -> float:
    """0 to 1."""
    if value <= 0.5:
        return value**2 / 3
    return (math.exp((value - HLG_C) / HLG_A) + HLG_B) / 12


def _hlg_display(red: float, green: float, blue: float) -> tuple[float, float, float]:
    luma = LUMA_2020[0] * red + LUMA_2020[1] * green + LUMA_2020[2] * blue
    factor = PEAK * luma ** (HLG_GAMMA - 1) if luma > 0 else 0.0
    return red * factor, green * factor, blue * factor
