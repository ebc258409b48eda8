"""Wire messages ↔ plain values: the only place that knows both.

Reading a request checks whatever can be checked without a model; each error names the field it found.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from google.protobuf import timestamp_pb2

from encode.errors import FieldInvalid, FieldMissing, StrokesTooLong
from encode.sample import CropBox, ImageSample, Modality, Sample, StrokesSample
from encode.strokes import DEFAULT_STROKE_LIMITS
from enroll.acquisition import Problem
from enroll.stores.store import Request
from verify.decision import SampleEvidence
from verify.names import require_name
from verify.v1 import enrollment_pb2, sample_pb2, verification_pb2

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Above the cap of one image, so that an image too large gets an error naming its field, not one of the transport."""

MAX_SAMPLES = 32
MAX_POINTS = DEFAULT_STROKE_LIMITS.max_points
DEFAULT_PAGE = 100
MAX_PAGE = 1_000

MODALITY_TO_WIRE: dict[Modality, sample_pb2.Modality] = {
    Modality.FACE: sample_pb2.MODALITY_FACE,
    Modality.SIGNATURE: sample_pb2.MODALITY_SIGNATURE,
}
_MODALITY_FROM_WIRE = {wire: modality for modality, wire in MODALITY_TO_WIRE.items()}


def read_samples(samples: Sequence[sample_pb2.Sample]) -> list[Sample]:
    """1 to 32 samples. Raises FieldMissing, FieldInvalid, and StrokesTooLong before a point of any is copied."""
    if not samples:
        raise FieldMissing("there are no samples", field="samples", fix="send at least one sample")
    if len(samples) > MAX_SAMPLES:
        raise FieldInvalid(
            f"there are {len(samples)} samples, the limit is {MAX_SAMPLES}",
            field="samples",
            fix="send fewer samples in one call",
        )
    return [_read_sample(sample, f"samples[{index}]") for index, sample in enumerate(samples)]


def read_modality(wire: int, field: str, *, default: Modality | None = None) -> Modality:
    """A modality; `default` stands for an unspecified one. Raises FieldMissing, FieldInvalid."""
    if wire == sample_pb2.MODALITY_UNSPECIFIED:
        if default is None:
            raise FieldMissing("no modality is named", field=field, fix="name MODALITY_FACE or MODALITY_SIGNATURE")
        return default
    for known, modality in _MODALITY_FROM_WIRE.items():
        if wire == known:
            return modality
    raise FieldInvalid(
        f"there is no modality {wire}", field=field, fix="use MODALITY_FACE or MODALITY_SIGNATURE, or a newer service"
    )


def read_target_far(request: verification_pb2.VerifyRequest | verification_pb2.IdentifyRequest) -> float | None:
    """The target FAR asked for, a fraction; None where it was left out. Raises FieldInvalid."""
    if not request.HasField("target_far"):
        return None
    if not (math.isfinite(request.target_far) and 0 < request.target_far < 1):
        raise FieldInvalid(
            "a target FAR lies between 0 and 1",
            field="target_far",
            fix="ask for a fraction such as 0.001, which is 0.1 %, or leave it out",
        )
    return request.target_far


def read_page_size(size: int) -> int:
    """People on a page: 100 for 0, never more than 1000. Raises FieldInvalid."""
    if size < 0:
        raise FieldInvalid("a page cannot have fewer than 0 people", field="page_size", fix="give 0 to 1000")
    return min(size, MAX_PAGE) or DEFAULT_PAGE


def read_request(
    request: enrollment_pb2.EnrollRequest
    | enrollment_pb2.DeletePersonRequest
    | enrollment_pb2.RollbackTemplateRequest
    | enrollment_pb2.ResolveQuarantineRequest,
    method: str,
) -> Request | None:
    """The repeatable form of a mutation, or None where it carries no request_id. Raises FieldInvalid."""
    if not request.request_id:
        return None
    return Request(
        collection=request.collection,
        request_id=require_name(request.request_id, "request_id"),
        method=method,
        body_digest=hashlib.sha256(request.SerializeToString(deterministic=True)).digest(),
    )


def write_sample(sample: Sample) -> sample_pb2.Sample:
    """A sample as it is sent."""
    if isinstance(sample, StrokesSample):
        return sample_pb2.Sample(
            strokes=sample_pb2.Strokes(
                x=sample.x, y=sample.y, t_ms=sample.t, pressure=sample.pressure, pen_down=sample.pen_down
            )
        )
    image = sample_pb2.Image(data=sample.data, modality=MODALITY_TO_WIRE[sample.modality])
    if (box := sample.crop) is not None:
        image.crop.CopyFrom(sample_pb2.CropBox(left=box.left, top=box.top, right=box.right, bottom=box.bottom))
    return sample_pb2.Sample(image=image)


def write_problem(problem: Problem | None) -> sample_pb2.Problem | None:
    """None leaves the field unset."""
    if problem is None:
        return None
    return sample_pb2.Problem(reason=problem.reason, field=problem.field, message=problem.message, fix=problem.fix)


def write_evidence(samples: Iterable[SampleEvidence]) -> list[verification_pb2.SampleEvidence]:
    """What each sample said, numbered in order."""
    return [
        verification_pb2.SampleEvidence(
            index=index,
            modality=MODALITY_TO_WIRE[sample.modality],
            acquired=sample.acquired,
            log_likelihood_ratio=sample.llr,
            problem=write_problem(sample.problem),
        )
        for index, sample in enumerate(samples)
    ]


def write_time(moment: datetime) -> timestamp_pb2.Timestamp:
    """A moment with a time zone, to the microsecond."""
    written = timestamp_pb2.Timestamp()
    written.FromDatetime(moment)
    return written


def write_modalities(modalities: Iterable[Modality]) -> list[sample_pb2.Modality]:
    return [MODALITY_TO_WIRE[modality] for modality in modalities]


def _read_sample(sample: sample_pb2.Sample, field: str) -> Sample:
    content = sample.WhichOneof("content")
    if content == "image":
        image = sample.image
        box = image.crop
        return ImageSample(
            data=image.data,
            crop=CropBox(box.left, box.top, box.right, box.bottom) if image.HasField("crop") else None,
            modality=read_modality(image.modality, f"{field}.image.modality", default=Modality.FACE),
        )
    if content == "strokes":
        return _read_strokes(sample.strokes, f"{field}.strokes")
    raise FieldMissing("the sample holds neither an image nor strokes", field=field, fix="set image or strokes")


def _read_strokes(strokes: sample_pb2.Strokes, field: str) -> StrokesSample:
    """Nothing but the numbers of points is looked at here; what else may be wrong is found sample by sample."""
    for name in ("x", "y", "t_ms", "pressure", "pen_down"):
        points = len(getattr(strokes, name))
        if points > MAX_POINTS:
            raise StrokesTooLong(
                f"there are {points:,} points, the limit is {MAX_POINTS:,}",
                field=f"{field}.{name}",
                fix="send one signature, at the device's own rate",
            )
    return StrokesSample(
        x=tuple(strokes.x),
        y=tuple(strokes.y),
        t=tuple(strokes.t_ms),
        pressure=tuple(strokes.pressure),
        pen_down=tuple(strokes.pen_down),
    )
