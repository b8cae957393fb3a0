"""The clock of everything that is made of a source. By itself, for a child's first quarter of a second is imports."""

TIMESCALE = 90_000
