import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from verify.v1 import sample_pb2 as _sample_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

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
    __slots__ = ("modality", "model_digest", "anchors", "recent", "missing", "version", "created_at", "updated_at")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ANCHORS_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    modality: _sample_pb2.Modality
    model_digest: str
    anchors: int
    recent: int
    missing: int
    version: int
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    def __init__(self, modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., model_digest: _Optional[str] = ..., anchors: _Optional[int] = ..., recent: _Optional[int] = ..., missing: _Optional[int] = ..., version: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("receipt_id", "collection", "person", "templates", "erased_at")
    RECEIPT_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    TEMPLATES_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_FIELD_NUMBER: _ClassVar[int]
    receipt_id: str
    collection: str
    person: str
    templates: _containers.RepeatedCompositeFieldContainer[ErasedTemplate]
    erased_at: _timestamp_pb2.Timestamp
    def __init__(self, receipt_id: _Optional[str] = ..., collection: _Optional[str] = ..., person: _Optional[str] = ..., templates: _Optional[_Iterable[_Union[ErasedTemplate, _Mapping]]] = ..., erased_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ErasedTemplate(_message.Message):
    __slots__ = ("modality", "model_digest", "references")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    modality: _sample_pb2.Modality
    model_digest: str
    references: int
    def __init__(self, modality: _Optional[_Union[_sample_pb2.Modality, str]] = ..., model_digest: _Optional[str] = ..., references: _Optional[int] = ...) -> None: ...
