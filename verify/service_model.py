"""ModelService: which models are loaded, and the policies they decide by."""

from collections.abc import Mapping
from typing import Any

import grpc

from encode.errors import ModelUnknown
from encode.sample import Modality
from verify.messages import MODALITY_TO_WIRE, read_modality, write_time
from verify.model import Model
from verify.policy import Policy, Rate
from verify.v1 import model_pb2 as pb
from verify.v1 import model_pb2_grpc

_Context = grpc.aio.ServicerContext[Any, Any]


class ModelService(model_pb2_grpc.ModelServiceServicer):
    """Raises errors of the tree; the call boundary turns them into statuses."""

    def __init__(self, models: Mapping[Modality, Model]) -> None:
        self._models = models

    async def ListModels(self, request: pb.ListModelsRequest, context: _Context) -> pb.ListModelsResponse:  # noqa: N802
        return pb.ListModelsResponse(models=[_write_model(self._models[one]) for one in sorted(self._models)])

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: _Context) -> pb.GetPolicyResponse:  # noqa: N802
        modality = read_modality(request.modality, "modality")
        model = self._models.get(modality)
        if model is None or model.policy is None:
            raise ModelUnknown(
                f"no {modality.value} model is loaded", field="modality", fix="ask ListModels which models are"
            )
        return pb.GetPolicyResponse(policy=_write_policy(model.policy))


def _write_model(model: Model) -> pb.Model:
    written = pb.Model(
        name=model.name,
        modality=MODALITY_TO_WIRE[model.modality],
        model_digest=model.model_digest,
        embedding_size=model.encoder.embedding_size,
    )
    if model.policy is not None:
        written.policy_id = model.policy.id
        written.target_fars.extend(model.policy.target_fars)
        written.default_target_far = model.policy.default_target_far
    return written


def _write_policy(policy: Policy) -> pb.Policy:
    return pb.Policy(
        policy_id=policy.id,
        modality=MODALITY_TO_WIRE[policy.modality],
        model_digest=policy.model_digest,
        created=write_time(policy.created),
        corpus=policy.corpus.name,
        corpus_digest=policy.corpus.digest,
        corpus_people=policy.corpus.people,
        impostor=policy.impostor,
        references=policy.references,
        genuine_trials=policy.trials.genuine,
        impostor_trials=policy.trials.impostor,
        interval_method=policy.interval.method,
        interval_confidence=policy.interval.confidence,
        default_target_far=policy.default_target_far,
        rows=[
            pb.PolicyRow(
                target_far=row.target_far,
                threshold=row.threshold,
                achieved_far=_write_rate(row.achieved_far),
                frr=_write_rate(row.frr),
                beyond_evidence=policy.beyond_evidence(row),
            )
            for row in policy.table
        ],
    )


def _write_rate(rate: Rate) -> pb.Rate:
    return pb.Rate(value=rate.value, low=rate.low, high=rate.high)
