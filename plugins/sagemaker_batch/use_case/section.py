"""What every section of a use-case file is: strict, closed, frozen; and the kinds of text that several share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the file: unknown keys are mistakes, values are never coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


ColumnName = Annotated[str, Field(min_length=1)]
ConnectionId = Annotated[str, Field(min_length=1)]
