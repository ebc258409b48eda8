from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Modality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODALITY_UNSPECIFIED: _ClassVar[Modality]
    MODALITY_FACE: _ClassVar[Modality]
    MODALITY_SIGNATURE: _ClassVar[Modality]
MODALITY_UNSPECIFIED: Modality
MODALITY_FACE: Modality
MODALITY_SIGNATURE: Modality

class CropBox(_message.Message):
    __slots__ = ("left", "top", "right", "bottom")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    BOTTOM_FIELD_NUMBER: _ClassVar[int]
    left: int
    top: int
    right: int
    bottom: int
    def __init__(self, left: _Optional[int] = ..., top: _Optional[int] = ..., right: _Optional[int] = ..., bottom: _Optional[int] = ...) -> None: ...

class Image(_message.Message):
    __slots__ = ("data", "crop", "modality")
    DATA_FIELD_NUMBER: _ClassVar[int]
    CROP_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    crop: CropBox
    modality: Modality
    def __init__(self, data: _Optional[bytes] = ..., crop: _Optional[_Union[CropBox, _Mapping]] = ..., modality: _Optional[_Union[Modality, str]] = ...) -> None: ...

class Strokes(_message.Message):
    __slots__ = ("x", "y", "t_ms", "pressure", "pen_down")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    T_MS_FIELD_NUMBER: _ClassVar[int]
    PRESSURE_FIELD_NUMBER: _ClassVar[int]
    PEN_DOWN_FIELD_NUMBER: _ClassVar[int]
    x: _containers.RepeatedScalarFieldContainer[float]
    y: _containers.RepeatedScalarFieldContainer[float]
    t_ms: _containers.RepeatedScalarFieldContainer[float]
    pressure: _containers.RepeatedScalarFieldContainer[float]
    pen_down: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, x: _Optional[_Iterable[float]] = ..., y: _Optional[_Iterable[float]] = ..., t_ms: _Optional[_Iterable[float]] = ..., pressure: _Optional[_Iterable[float]] = ..., pen_down: _Optional[_Iterable[bool]] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("image", "strokes")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    STROKES_FIELD_NUMBER: _ClassVar[int]
    image: Image
    strokes: Strokes
    def __init__(self, image: _Optional[_Union[Image, _Mapping]] = ..., strokes: _Optional[_Union[Strokes, _Mapping]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("reason", "field", "message", "fix")
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIX_FIELD_NUMBER: _ClassVar[int]
    reason: str
    field: str
    message: str
    fix: str
    def __init__(self, reason: _Optional[str] = ..., field: _Optional[str] = ..., message: _Optional[str] = ..., fix: _Optional[str] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("code", "reason", "field", "message", "fix", "retry_after")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIX_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    code: str
    reason: str
    field: str
    message: str
    fix: str
    retry_after: float
    def __init__(self, code: _Optional[str] = ..., reason: _Optional[str] = ..., field: _Optional[str] = ..., message: _Optional[str] = ..., fix: _Optional[str] = ..., retry_after: _Optional[float] = ...) -> None: ...
