import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from verify.v1 import sample_pb2 as _sample_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Resolution(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOLUTION_UNSPECIFIED: _ClassVar[Resolution]
    RESOLUTION_APPROVE: _ClassVar[Resolution]
    RESOLUTION_DISCARD: _ClassVar[Resolution]
RESOLUTION_UNSPECIFIED: Resolution
RESOLUTION_APPROVE: Resolution
RESOLUTION_DISCARD: Resolution

class EnrollRequest(_message.Message):
    __slots__ = ("collection", "person", "samples", "request_id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    person: str
    samples: _containers.RepeatedCompositeFieldContainer[_sample_pb2.Sample]
    request_id: str
    def __init__(self, collection: _Optional[str] = ..., person: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[_sample_pb2.Sample, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class EnrollResponse(_message.Message):
    __slots__ = ("person", "outcomes")
    PERSON_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    person: Person
    outcomes: _containers.RepeatedCompositeFieldContainer[SampleOutcome]
    def __init__(self, person: _Optional[_Union[Person, _Mapping]] = ..., outcomes: _Optional[_Iterable[_Union[SampleOutcome, _Mapping]]] = ...) -> None: ...

class EnrollBatchRequest(_message.Message):
    __slots__ = ("index", "item")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    index: int
    item: EnrollRequest
    def __init__(self, index: _Optional[int] = ..., item: _Optional[_Union[EnrollRequest, _Mapping]] = ...) -> None: ...

class EnrollBatchResponse(_message.Message):
    __slots__ = ("index", "enrolled", "failure")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    index: int
    enrolled: EnrollResponse
    failure: _sample_pb2.Failure
    def __init__(self, index: _Optional[int] = ..., enrolled: _Optional[_Union[EnrollResponse, _Mapping]] = ..., failure: _Optional[_Union[_sample_pb2.Failure, _Mapping]] = ...) -> None: ...

class SampleOutcome(_message.Message):
    __slots__ = ("index", "modality", "accepted", "problem")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    index: int
    modality: _sample_pb2.Modality
    accepted: bool
    problem: _sample_pb2.Problem
    def __init__(self, index: _Optional[int] = ..., modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., accepted: _Optional[bool] = ..., problem: _Optional[_Union[_sample_pb2.Problem, _Mapping]] = ...) -> None: ...

class Person(_message.Message):
    __slots__ = ("collection", "person", "templates")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    TEMPLATES_FIELD_NUMBER: _ClassVar[int]
    collection: str
    person: str
    templates: _containers.RepeatedCompositeFieldContainer[Template]
    def __init__(self, collection: _Optional[str] = ..., person: _Optional[str] = ..., templates: _Optional[_Iterable[_Union[Template, _Mapping]]] = ...) -> None: ...

class Template(_message.Message):
    __slots__ = ("modality", "model_digest", "anchors", "recent", "missing", "version", "created_at", "updated_at", "adapted", "quarantined", "quarantined_since", "samples_kept")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ANCHORS_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    ADAPTED_FIELD_NUMBER: _ClassVar[int]
    QUARANTINED_FIELD_NUMBER: _ClassVar[int]
    QUARANTINED_SINCE_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_KEPT_FIELD_NUMBER: _ClassVar[int]
    modality: _sample_pb2.Modality
    model_digest: str
    anchors: int
    recent: int
    missing: int
    version: int
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    adapted: int
    quarantined: int
    quarantined_since: _timestamp_pb2.Timestamp
    samples_kept: int
    def __init__(self, modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., model_digest: _Optional[str] = ..., anchors: _Optional[int] = ..., recent: _Optional[int] = ..., missing: _Optional[int] = ..., version: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., adapted: _Optional[int] = ..., quarantined: _Optional[int] = ..., quarantined_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., samples_kept: _Optional[int] = ...) -> None: ...

class GetPersonRequest(_message.Message):
    __slots__ = ("collection", "person")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    collection: str
    person: str
    def __init__(self, collection: _Optional[str] = ..., person: _Optional[str] = ...) -> None: ...

class GetPersonResponse(_message.Message):
    __slots__ = ("person",)
    PERSON_FIELD_NUMBER: _ClassVar[int]
    person: Person
    def __init__(self, person: _Optional[_Union[Person, _Mapping]] = ...) -> None: ...

class ListPersonsRequest(_message.Message):
    __slots__ = ("collection", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPersonsResponse(_message.Message):
    __slots__ = ("persons", "next_page_token")
    PERSONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    persons: _containers.RepeatedCompositeFieldContainer[PersonSummary]
    next_page_token: str
    def __init__(self, persons: _Optional[_Iterable[_Union[PersonSummary, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PersonSummary(_message.Message):
    __slots__ = ("person", "modalities")
    PERSON_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    person: str
    modalities: _containers.RepeatedScalarFieldContainer[_sample_pb2.Modality]
    def __init__(self, person: _Optional[str] = ..., modalities: _Optional[_Iterable[_Union[_sample_pb2.Modality, str]]] = ...) -> None: ...

class DeletePersonRequest(_message.Message):
    __slots__ = ("collection", "person", "request_id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    person: str
    request_id: str
    def __init__(self, collection: _Optional[str] = ..., person: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeletePersonResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: ErasureReceipt
    def __init__(self, receipt: _Optional[_Union[ErasureReceipt, _Mapping]] = ...) -> None: ...

class ErasureReceipt(_message.Message):
    __slots__ = ("receipt_id", "collection", "person", "templates", "erased_at", "signature", "key_id")
    RECEIPT_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    TEMPLATES_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    receipt_id: str
    collection: str
    person: str
    templates: _containers.RepeatedCompositeFieldContainer[ErasedTemplate]
    erased_at: _timestamp_pb2.Timestamp
    signature: bytes
    key_id: str
    def __init__(self, receipt_id: _Optional[str] = ..., collection: _Optional[str] = ..., person: _Optional[str] = ..., templates: _Optional[_Iterable[_Union[ErasedTemplate, _Mapping]]] = ..., erased_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., signature: _Optional[bytes] = ..., key_id: _Optional[str] = ...) -> None: ...

class ErasedTemplate(_message.Message):
    __slots__ = ("modality", "model_digest", "references")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    modality: _sample_pb2.Modality
    model_digest: str
    references: int
    def __init__(self, modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., model_digest: _Optional[str] = ..., references: _Optional[int] = ...) -> None: ...

class ListTemplateVersionsRequest(_message.Message):
    __slots__ = ("collection", "person", "modality")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    collection: str
    person: str
    modality: _sample_pb2.Modality
    def __init__(self, collection: _Optional[str] = ..., person: _Optional[str] = ..., modality: _Optional[_Union[_sample_pb2.Modality, str]] = ...) -> None: ...

class ListTemplateVersionsResponse(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[TemplateVersion]
    def __init__(self, versions: _Optional[_Iterable[_Union[TemplateVersion, _Mapping]]] = ...) -> None: ...

class TemplateVersion(_message.Message):
    __slots__ = ("version", "model_digest", "saved_at", "reason")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SAVED_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    version: int
    model_digest: str
    saved_at: _timestamp_pb2.Timestamp
    reason: str
    def __init__(self, version: _Optional[int] = ..., model_digest: _Optional[str] = ..., saved_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class RollbackTemplateRequest(_message.Message):
    __slots__ = ("collection", "person", "modality", "version", "enrolled_only", "request_id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    person: str
    modality: _sample_pb2.Modality
    version: int
    enrolled_only: bool
    request_id: str
    def __init__(self, collection: _Optional[str] = ..., person: _Optional[str] = ..., modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., version: _Optional[int] = ..., enrolled_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class RollbackTemplateResponse(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: Template
    def __init__(self, template: _Optional[_Union[Template, _Mapping]] = ...) -> None: ...

class ListQuarantineRequest(_message.Message):
    __slots__ = ("collection", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListQuarantineResponse(_message.Message):
    __slots__ = ("probes", "next_page_token")
    PROBES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    probes: _containers.RepeatedCompositeFieldContainer[QuarantinedProbe]
    next_page_token: str
    def __init__(self, probes: _Optional[_Iterable[_Union[QuarantinedProbe, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class QuarantinedProbe(_message.Message):
    __slots__ = ("person", "modality", "model_digest", "since", "due", "version")
    PERSON_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    person: str
    modality: _sample_pb2.Modality
    model_digest: str
    since: _timestamp_pb2.Timestamp
    due: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, person: _Optional[str] = ..., modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., model_digest: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class ResolveQuarantineRequest(_message.Message):
    __slots__ = ("collection", "person", "modality", "resolution", "version", "request_id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    person: str
    modality: _sample_pb2.Modality
    resolution: Resolution
    version: int
    request_id: str
    def __init__(self, collection: _Optional[str] = ..., person: _Optional[str] = ..., modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., resolution: _Optional[_Union[Resolution, str]] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class ResolveQuarantineResponse(_message.Message):
    __slots__ = ("template",)
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    template: Template
    def __init__(self, template: _Optional[_Union[Template, _Mapping]] = ...) -> None: ...
