"""The models of a service, with encoders that put the samples of concurrent calls through their networks together."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from encode.cpu import usable_cpus
from encode.encoder import Encoder
from encode.sample import Modality
from enroll.lineup import Lineup
from verify.batching import BatchingEncoder
from verify.metrics import Metrics
from verify.model import Model
from verify.settings import ServiceSettings


def batching(models: Mapping[Modality, Model], settings: ServiceSettings, metrics: Metrics) -> Lineup[Model]:
    """`models`, each with a network of its own; `metrics` are told of every run."""

    def batched(model: Model) -> Model:
        crowded = model.encoder.on_one_thread() if isinstance(model.encoder, Encoder) else model.encoder
        encoder = BatchingEncoder(
            model.encoder,
            crowded=crowded,
            lanes=usable_cpus(),
            max_rows=settings.batch_rows,
            budget_seconds=settings.batch_ms / 1e3,
            observe=partial(metrics.batch, model.modality),
        )
        return replace(model, encoder=encoder)

    lineup = Lineup.of(models)
    return Lineup({one: batched(model) for one, model in lineup.items()}, [batched(one) for one in lineup.retiring])
