from verify.v1 import sample_pb2 as _sample_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModalityStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODALITY_STATUS_UNSPECIFIED: _ClassVar[ModalityStatus]
    MODALITY_STATUS_USED: _ClassVar[ModalityStatus]
    MODALITY_STATUS_UNUSABLE: _ClassVar[ModalityStatus]
    MODALITY_STATUS_NOT_ENROLLED: _ClassVar[ModalityStatus]
    MODALITY_STATUS_NOT_SENT: _ClassVar[ModalityStatus]

class IdentifyOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IDENTIFY_OUTCOME_UNSPECIFIED: _ClassVar[IdentifyOutcome]
    IDENTIFY_OUTCOME_MATCH: _ClassVar[IdentifyOutcome]
    IDENTIFY_OUTCOME_NO_MATCH: _ClassVar[IdentifyOutcome]
MODALITY_STATUS_UNSPECIFIED: ModalityStatus
MODALITY_STATUS_USED: ModalityStatus
MODALITY_STATUS_UNUSABLE: ModalityStatus
MODALITY_STATUS_NOT_ENROLLED: ModalityStatus
MODALITY_STATUS_NOT_SENT: ModalityStatus
IDENTIFY_OUTCOME_UNSPECIFIED: IdentifyOutcome
IDENTIFY_OUTCOME_MATCH: IdentifyOutcome
IDENTIFY_OUTCOME_NO_MATCH: IdentifyOutcome

class VerifyRequest(_message.Message):
    __slots__ = ("collection", "person", "samples", "target_far", "accept_partial")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    TARGET_FAR_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    collection: str
    person: str
    samples: _containers.RepeatedCompositeFieldContainer[_sample_pb2.Sample]
    target_far: float
    accept_partial: bool
    def __init__(self, collection: _Optional[str] = ..., person: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[_sample_pb2.Sample, _Mapping]]] = ..., target_far: _Optional[float] = ..., accept_partial: _Optional[bool] = ...) -> None: ...

class VerifyResponse(_message.Message):
    __slots__ = ("accepted", "log_likelihood_ratio", "probability", "threshold", "target_far", "beyond_evidence", "policy_id", "modalities", "samples", "complete")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    LOG_LIKELIHOOD_RATIO_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FAR_FIELD_NUMBER: _ClassVar[int]
    BEYOND_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    accepted: bool
    log_likelihood_ratio: float
    probability: float
    threshold: float
    target_far: float
    beyond_evidence: bool
    policy_id: str
    modalities: _containers.RepeatedCompositeFieldContainer[ModalityEvidence]
    samples: _containers.RepeatedCompositeFieldContainer[SampleEvidence]
    complete: bool
    def __init__(self, accepted: _Optional[bool] = ..., log_likelihood_ratio: _Optional[float] = ..., probability: _Optional[float] = ..., threshold: _Optional[float] = ..., target_far: _Optional[float] = ..., beyond_evidence: _Optional[bool] = ..., policy_id: _Optional[str] = ..., modalities: _Optional[_Iterable[_Union[ModalityEvidence, _Mapping]]] = ..., samples: _Optional[_Iterable[_Union[SampleEvidence, _Mapping]]] = ..., complete: _Optional[bool] = ...) -> None: ...

class ModalityEvidence(_message.Message):
    __slots__ = ("modality", "log_likelihood_ratio", "model_digest", "status")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    LOG_LIKELIHOOD_RATIO_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    modality: _sample_pb2.Modality
    log_likelihood_ratio: float
    model_digest: str
    status: ModalityStatus
    def __init__(self, modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., log_likelihood_ratio: _Optional[float] = ..., model_digest: _Optional[str] = ..., status: _Optional[_Union[ModalityStatus, str]] = ...) -> None: ...

class SampleEvidence(_message.Message):
    __slots__ = ("index", "modality", "acquired", "log_likelihood_ratio", "problem")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    ACQUIRED_FIELD_NUMBER: _ClassVar[int]
    LOG_LIKELIHOOD_RATIO_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    index: int
    modality: _sample_pb2.Modality
    acquired: bool
    log_likelihood_ratio: float
    problem: _sample_pb2.Problem
    def __init__(self, index: _Optional[int] = ..., modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., acquired: _Optional[bool] = ..., log_likelihood_ratio: _Optional[float] = ..., problem: _Optional[_Union[_sample_pb2.Problem, _Mapping]] = ...) -> None: ...

class VerifyBatchRequest(_message.Message):
    __slots__ = ("index", "item")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    index: int
    item: VerifyRequest
    def __init__(self, index: _Optional[int] = ..., item: _Optional[_Union[VerifyRequest, _Mapping]] = ...) -> None: ...

class VerifyBatchResponse(_message.Message):
    __slots__ = ("index", "decided", "failure")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    index: int
    decided: VerifyResponse
    failure: _sample_pb2.Failure
    def __init__(self, index: _Optional[int] = ..., decided: _Optional[_Union[VerifyResponse, _Mapping]] = ..., failure: _Optional[_Union[_sample_pb2.Failure, _Mapping]] = ...) -> None: ...

class IdentifyRequest(_message.Message):
    __slots__ = ("collection", "samples", "target_far", "max_candidates")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    TARGET_FAR_FIELD_NUMBER: _ClassVar[int]
    MAX_CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    collection: str
    samples: _containers.RepeatedCompositeFieldContainer[_sample_pb2.Sample]
    target_far: float
    max_candidates: int
    def __init__(self, collection: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[_sample_pb2.Sample, _Mapping]]] = ..., target_far: _Optional[float] = ..., max_candidates: _Optional[int] = ...) -> None: ...

class IdentifyResponse(_message.Message):
    __slots__ = ("outcome", "candidates", "threshold", "target_far", "comparison_far", "gallery_size", "beyond_evidence", "policy_id", "samples")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FAR_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FAR_FIELD_NUMBER: _ClassVar[int]
    GALLERY_SIZE_FIELD_NUMBER: _ClassVar[int]
    BEYOND_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    outcome: IdentifyOutcome
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    threshold: float
    target_far: float
    comparison_far: float
    gallery_size: int
    beyond_evidence: bool
    policy_id: str
    samples: _containers.RepeatedCompositeFieldContainer[SampleEvidence]
    def __init__(self, outcome: _Optional[_Union[IdentifyOutcome, str]] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., threshold: _Optional[float] = ..., target_far: _Optional[float] = ..., comparison_far: _Optional[float] = ..., gallery_size: _Optional[int] = ..., beyond_evidence: _Optional[bool] = ..., policy_id: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[SampleEvidence, _Mapping]]] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("person", "log_likelihood_ratio", "probability")
    PERSON_FIELD_NUMBER: _ClassVar[int]
    LOG_LIKELIHOOD_RATIO_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    person: str
    log_likelihood_ratio: float
    probability: float
    def __init__(self, person: _Optional[str] = ..., log_likelihood_ratio: _Optional[float] = ..., probability: _Optional[float] = ...) -> None: ...
