"""ModelService: which models are loaded, and the policies they decide by, alone and together."""

from collections.abc import Iterable, Mapping
from typing import Any

import grpc

from encode.errors import ModelUnknown
from encode.sample import Modality
from enroll.lineup import Lineup
from verify.fused_policy import FusedPolicy
from verify.messages import MODALITY_TO_WIRE, read_modality, write_time
from verify.model import Model
from verify.policy import Policy, Rate
from verify.policy_choice import PolicyChoice
from verify.v1 import model_pb2 as pb
from verify.v1 import model_pb2_grpc

_Context = grpc.aio.ServicerContext[Any, Any]


class ModelService(model_pb2_grpc.ModelServiceServicer):
    """Raises errors of the tree; the call boundary turns them into statuses."""

    def __init__(self, models: Mapping[Modality, Model], policies: PolicyChoice) -> None:
        self._models, self._policies = Lineup.of(models), policies

    async def ListModels(self, request: pb.ListModelsRequest, context: _Context) -> pb.ListModelsResponse:  # noqa: N802
        current = [_write_model(self._models[one], retiring=False) for one in sorted(self._models)]
        retiring = [_write_model(one, retiring=True) for one in self._models.retiring]
        return pb.ListModelsResponse(models=[*current, *retiring])

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: _Context) -> pb.GetPolicyResponse:  # noqa: N802
        named = {"modality": request.modality}
        named |= {f"fused_with[{index}]": wire for index, wire in enumerate(request.fused_with)}
        models = {modality: self._models[modality] for modality in self._modalities(named)}
        for index, digest in enumerate(request.model_digests):
            model = self._of_digest(digest, models, f"model_digests[{index}]")
            models[model.modality] = model
        return pb.GetPolicyResponse(policy=_write_policy(self._policies.of_models(list(models.values()))))

    def _modalities(self, named: Mapping[str, int]) -> list[Modality]:
        modalities = {field: read_modality(wire, field) for field, wire in named.items()}
        for field, modality in modalities.items():
            if modality not in self._models:
                raise ModelUnknown(
                    f"no {modality.value} model is loaded", field=field, fix="ask ListModels which models are"
                )
        return sorted(set(modalities.values()))

    def _of_digest(self, digest: str, modalities: Iterable[Modality], field: str) -> Model:
        models = [model for modality in modalities for model in self._models.all_of(modality)]
        found = next((model for model in models if model.model_digest == digest), None)
        if found is None:
            raise ModelUnknown(
                "no model of this digest is loaded for the modalities named",
                field=field,
                fix="ask ListModels which models are",
            )
        return found


def _write_model(model: Model, *, retiring: bool) -> pb.Model:
    written = pb.Model(
        name=model.name,
        modality=MODALITY_TO_WIRE[model.modality],
        model_digest=model.model_digest,
        embedding_size=model.encoder.embedding_size,
        retiring=retiring,
    )
    if model.policy is not None:
        written.policy_id = model.policy.id
        written.target_fars.extend(model.policy.target_fars)
        written.default_target_far = model.policy.default_target_far
    return written


def _write_policy(policy: Policy | FusedPolicy) -> pb.Policy:
    written = pb.Policy(
        policy_id=policy.id,
        created=write_time(policy.created),
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
    if isinstance(policy, FusedPolicy):
        written.parts.extend(_write_policy(part) for part in policy.parts)
        return written
    written.modality = MODALITY_TO_WIRE[policy.modality]
    written.model_digest = policy.model_digest
    written.corpus = policy.corpus.name
    written.corpus_digest = policy.corpus.digest
    written.corpus_people = policy.corpus.people
    written.impostor = policy.impostor
    written.references = policy.references
    return written


def _write_rate(rate: Rate) -> pb.Rate:
    return pb.Rate(value=rate.value, low=rate.low, high=rate.high)
