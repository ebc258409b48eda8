"""What every preprocessing step is: frozen data under a name, as the manifest writes it."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from encode.errors import BundleCorrupt

AnyStep = TypeVar("AnyStep")


class Step(BaseModel):
    """Parameters of one step; a field it does not know is refused. Each kind adds its name in the field `step`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def parse_steps(adapter: TypeAdapter[list[AnyStep]], steps: Sequence[object]) -> list[AnyStep]:
    """The steps of a manifest, validated. Raises BundleCorrupt naming the step at fault."""
    try:
        return adapter.validate_python(list(steps))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleCorrupt(first["msg"], field=f"preprocessing.{where}") from error
