"""A run at an MLflow tracking store: an http: or sqlite: address, or another that MLflow takes."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# MLflow reports the use of itself unless told not to, before it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from encode.errors import TrainingError

EXPERIMENT = "countersign"

_LONGEST = 500
"""Characters of a parameter that every store takes."""


class MlflowTracker:
    """A new run called `name` in the experiment `countersign`.

    Every method raises TrainingError where the store cannot be reached or refuses.
    """

    def __init__(self, uri: str, name: str) -> None:
        # A name is given, and a user named "-": MLflow would otherwise send that of whoever is logged in.
        tags = {"mlflow.user": "-", "mlflow.source.name": "countersign"}
        with _told():
            self._client = MlflowClient(tracking_uri=uri)
            known = self._client.get_experiment_by_name(EXPERIMENT)
            experiment = self._client.create_experiment(EXPERIMENT) if known is None else known.experiment_id
            self._run = self._client.create_run(experiment, run_name=name, tags=tags).info.run_id

    def settings(self, values: Mapping[str, str]) -> None:
        """As parameters."""
        with _told():
            self._client.log_batch(self._run, params=[Param(key, value[:_LONGEST]) for key, value in values.items()])

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One metric a name."""
        with _told():
            self._client.log_batch(self._run, metrics=[Metric(name, value, 0, step) for name, value in values.items()])

    def close(self) -> None:
        """Mark the run as finished."""
        with _told():
            self._client.set_terminated(self._run)


@contextmanager
def _told() -> Iterator[None]:
    """MLflow's errors as TrainingError: their first sentence, for the rest is long and quotes addresses."""
    try:
        yield
    except MlflowException as error:
        raise TrainingError(
            f"MLflow: {str(error).partition('. ')[0]}",
            field="track",
            fix="training continues where it was when repeated",
        ) from error
