import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from verify.v1 import sample_pb2 as _sample_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "modality", "model_digest", "embedding_size", "policy_id", "target_fars", "default_target_far", "retiring")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_SIZE_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FARS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_TARGET_FAR_FIELD_NUMBER: _ClassVar[int]
    RETIRING_FIELD_NUMBER: _ClassVar[int]
    name: str
    modality: _sample_pb2.Modality
    model_digest: str
    embedding_size: int
    policy_id: str
    target_fars: _containers.RepeatedScalarFieldContainer[float]
    default_target_far: float
    retiring: bool
    def __init__(self, name: _Optional[str] = ..., modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., model_digest: _Optional[str] = ..., embedding_size: _Optional[int] = ..., policy_id: _Optional[str] = ..., target_fars: _Optional[_Iterable[float]] = ..., default_target_far: _Optional[float] = ..., retiring: _Optional[bool] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ("modality", "fused_with", "model_digests")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    FUSED_WITH_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    modality: _sample_pb2.Modality
    fused_with: _containers.RepeatedScalarFieldContainer[_sample_pb2.Modality]
    model_digests: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., fused_with: _Optional[_Iterable[_Union[_sample_pb2.Modality, str]]] = ..., model_digests: _Optional[_Iterable[str]] = ...) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("policy_id", "modality", "model_digest", "created", "corpus", "corpus_digest", "corpus_people", "impostor", "references", "genuine_trials", "impostor_trials", "interval_method", "interval_confidence", "default_target_far", "rows", "parts")
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    CORPUS_FIELD_NUMBER: _ClassVar[int]
    CORPUS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CORPUS_PEOPLE_FIELD_NUMBER: _ClassVar[int]
    IMPOSTOR_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    GENUINE_TRIALS_FIELD_NUMBER: _ClassVar[int]
    IMPOSTOR_TRIALS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_METHOD_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_TARGET_FAR_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    policy_id: str
    modality: _sample_pb2.Modality
    model_digest: str
    created: _timestamp_pb2.Timestamp
    corpus: str
    corpus_digest: str
    corpus_people: int
    impostor: str
    references: int
    genuine_trials: int
    impostor_trials: int
    interval_method: str
    interval_confidence: float
    default_target_far: float
    rows: _containers.RepeatedCompositeFieldContainer[PolicyRow]
    parts: _containers.RepeatedCompositeFieldContainer[Policy]
    def __init__(self, policy_id: _Optional[str] = ..., modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., model_digest: _Optional[str] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., corpus: _Optional[str] = ..., corpus_digest: _Optional[str] = ..., corpus_people: _Optional[int] = ..., impostor: _Optional[str] = ..., references: _Optional[int] = ..., genuine_trials: _Optional[int] = ..., impostor_trials: _Optional[int] = ..., interval_method: _Optional[str] = ..., interval_confidence: _Optional[float] = ..., default_target_far: _Optional[float] = ..., rows: _Optional[_Iterable[_Union[PolicyRow, _Mapping]]] = ..., parts: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ...) -> None: ...

class PolicyRow(_message.Message):
    __slots__ = ("target_far", "threshold", "achieved_far", "frr", "beyond_evidence")
    TARGET_FAR_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    ACHIEVED_FAR_FIELD_NUMBER: _ClassVar[int]
    FRR_FIELD_NUMBER: _ClassVar[int]
    BEYOND_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    target_far: float
    threshold: float
    achieved_far: Rate
    frr: Rate
    beyond_evidence: bool
    def __init__(self, target_far: _Optional[float] = ..., threshold: _Optional[float] = ..., achieved_far: _Optional[_Union[Rate, _Mapping]] = ..., frr: _Optional[_Union[Rate, _Mapping]] = ..., beyond_evidence: _Optional[bool] = ...) -> None: ...

class Rate(_message.Message):
    __slots__ = ("value", "low", "high")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    value: float
    low: float
    high: float
    def __init__(self, value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...
