"""Give the tables of a configuration what they have in common: how strict they are, and shapes of values.

Out     Table, to be derived from; annotated types
Errors  pydantic.ValidationError
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator

from bastion.addresses import Address, parse_listen
from bastion.names import check_text

Text = Annotated[str, AfterValidator(check_text)]
Listen = Annotated[Address, PlainValidator(parse_listen, json_schema_input_type=str)]


class Table(BaseModel):
    """A table of the file: no key that is not named, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_default=True)
