"""What every table of the file is."""

from pydantic import BaseModel, ConfigDict

GIB = 1 << 30
LONGEST_DAYS = 36_500  # a hundred years, which is for good: dates end a few thousand years from here


class Section(BaseModel):
    """A table of the file; a key it doesn't know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
