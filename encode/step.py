"""What every preprocessing step is: frozen data under a name, as the manifest writes it."""

from pydantic import BaseModel, ConfigDict


class Step(BaseModel):
    """Parameters of one step; a field it does not know is refused. Each kind adds its name in the field `step`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
