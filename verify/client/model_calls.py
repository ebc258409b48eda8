"""The calls about the service itself: its models, their thresholds, and whether it answers."""

from collections.abc import Sequence

from grpc_health.v1 import health_pb2

from encode.sample import Modality
from verify.client.call import Call
from verify.messages import MODALITY_TO_WIRE, write_modalities
from verify.v1 import model_pb2 as pb

_SERVICE = "/verify.v1.ModelService/"


def list_models() -> Call[list[pb.Model]]:
    """The models that answer; those that retire come last."""

    def read(answer: pb.ListModelsResponse) -> list[pb.Model]:
        return list(answer.models)

    return Call(_SERVICE + "ListModels", pb.ListModelsRequest(), pb.ListModelsResponse, read)


def get_policy(modality: Modality, *fused_with: Modality, model_digests: Sequence[str] = ()) -> Call[pb.Policy]:
    """The thresholds in force for a modality, or for several that answer one call, with their evidence.

    `model_digests` name retiring models that answer in place of the current ones.
    """

    def read(answer: pb.GetPolicyResponse) -> pb.Policy:
        return answer.policy

    request = pb.GetPolicyRequest(
        modality=MODALITY_TO_WIRE[modality], fused_with=write_modalities(fused_with), model_digests=model_digests
    )
    return Call(_SERVICE + "GetPolicy", request, pb.GetPolicyResponse, read)


def healthy(service: str = "") -> Call[bool]:
    """Whether the service as a whole, or one by its full name, says that it is SERVING."""

    def read(answer: health_pb2.HealthCheckResponse) -> bool:
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    request = health_pb2.HealthCheckRequest(service=service)
    return Call("/grpc.health.v1.Health/Check", request, health_pb2.HealthCheckResponse, read)
