"""Every error Countersign raises on purpose, drawn as one tree.

CountersignError
├── InputError                    what the caller sent is at fault; `field` names the part
│   ├── FieldMissing              a required field is absent or empty
│   ├── FieldInvalid              a field is present and unusable
│   ├── WrongModality             a sample of a modality that no loaded model reads
│   ├── ReceiptInvalid            an erasure receipt that was not issued so
│   └── SampleError               one sample cannot be used (counts as a failure to acquire)
│       ├── SampleEmpty           no bytes or no points at all
│       ├── SampleTooLarge        more bytes than the limit
│       ├── ImageFormatUnsupported   not one of the accepted formats
│       ├── ImageCorrupt          an accepted format that does not decode
│       ├── ImageTooManyPixels    the header declares more pixels than the limit
│       ├── ImageTooSmall         fewer pixels on a side than any face needs
│       ├── ImageAnimated         more than one frame
│       ├── CropInvalid           the crop box is empty or outside the image
│       ├── StrokesFileInvalid    a stroke file that does not parse; `field` names the line
│       ├── StrokesUneven         x, y, t and what goes with them are not equally long
│       ├── StrokesInvalid        a coordinate, time or pressure that no device measures
│       ├── StrokesTooShort       fewer points, or less time, than any signature takes
│       ├── StrokesTooLong        more points, or more time, than any signature takes
│       ├── StrokesTimeReversed   time runs backwards by more than a device's clock jitters
│       ├── StrokesMotionless     the touching pen stays in one place
│       └── PenNeverDown          the pen never touches
├── NotFound
│   ├── PersonUnknown             nobody of that name is enrolled in the collection
│   ├── QuarantineEmpty           no probe waits to become a reference of this template
│   ├── TemplateVersionUnknown    this version of the person's template is not kept
│   └── ModelUnknown              no model of that modality is loaded
├── Conflict
│   ├── RequestIdReused           the request_id was used for another body
│   └── VersionConflict           the record changed between read and write
├── StateError                    a well-formed request that the present state refuses
│   ├── TooFewReferences          no usable sample was left to enroll (failure to enroll), or too few to compare with
│   ├── TemplateFull              the template keeps no more references than it has
│   ├── ModelMismatch             the template was made by another model
│   ├── PolicyMismatch            the policy was made for another model
│   ├── CandidateUnfit            the probe in quarantine fails the rule for becoming a reference
│   ├── IdentifyOff               this service does not search for people
│   └── TargetFarUnavailable      the policy holds no threshold for the target FAR asked for
├── AccessError                   the caller may not make this call
│   ├── TokenInvalid              no token, or one that is unknown, forged, expired or revoked
│   └── ScopeMissing              the token is valid and does not reach this call or this collection
├── TryLater                      the call is refused for now; `retry_after` says how long
│   ├── RateLimited               the caller makes more calls than it may
│   ├── LockedOut                 too many rejected claims, of the person or by the caller
│   ├── ServiceOverloaded         too many calls are waiting, or this one would wait too long
│   └── GalleryBuilding           the people to search are still being read from the store
├── DeadlineExpired               the caller's deadline passed before the work was done
├── ServiceError                  the service could not answer, through no fault of the request
│   ├── ServiceUnavailable        nothing answers at the address, or it is shutting down
│   └── ServiceFailed             an error nobody foresaw; known to the log by its incident id
├── BundleError                   a model bundle cannot be used
│   ├── BundleIncomplete          a part or a required key is missing
│   ├── BundleDigestMismatch      a part is not the one that was sealed
│   ├── BundleVersionUnsupported  written by another version of the format
│   ├── BundleShapeMismatch       encoder, background and manifest disagree about sizes
│   └── BundleCorrupt             a part does not parse
├── StoreError                    the template store cannot serve
│   ├── StoreUnavailable          it cannot be opened, read or written
│   ├── StoreCorrupt              a record does not decode
│   ├── StoreKeyMissing           the key that the stored data needs is not at hand
│   └── AuditBroken               the audit log was changed, cut or sealed with another key
├── ConfigError                   a setting is unusable
│   └── AddressInUse              the address to listen on is taken or not permitted
├── CorpusError                   a corpus cannot be read
│   ├── CorpusMissing             the path or download is not there
│   ├── CorpusInvalid             rows, names or columns are unusable
│   └── CorpusOverlap             one person stands on both sides of a split
├── TrialsError                   scores from which no rate can be computed
└── TrainingError                 a training run cannot start, continue or finish

`reason` is stable and upper-snake: clients may branch on it. Messages never quote sample content.
"""

from collections.abc import Sequence
from typing import ClassVar, Self


class CountersignError(Exception):
    """Root of the tree.

    Parameters
    ----------
    message : what happened, in one sentence, free of biometric content.
    field : dotted path of the input at fault, e.g. ``samples[2].image.data``.
    fix : what the reader can do about it.
    """

    reason: ClassVar[str] = "COUNTERSIGN_ERROR"

    def __init__(self, message: str, *, field: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.fix = fix

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        advice = f" ({self.fix})" if self.fix else ""
        return f"{where}{self.message}{advice}"

    def at(self, field: str) -> Self:
        """The same error, with the field path it was raised under put in front."""
        self.field = f"{field}.{self.field}" if self.field else field
        return self


class InputError(CountersignError):
    reason = "INPUT_INVALID"


class FieldMissing(InputError):
    reason = "FIELD_MISSING"


class FieldInvalid(InputError):
    reason = "FIELD_INVALID"


class WrongModality(InputError):
    reason = "WRONG_MODALITY"


class ReceiptInvalid(InputError):
    reason = "RECEIPT_INVALID"


class SampleError(InputError):
    reason = "SAMPLE_UNUSABLE"


class SampleEmpty(SampleError):
    reason = "SAMPLE_EMPTY"


class SampleTooLarge(SampleError):
    reason = "SAMPLE_TOO_LARGE"


class ImageFormatUnsupported(SampleError):
    reason = "IMAGE_FORMAT_UNSUPPORTED"


class ImageCorrupt(SampleError):
    reason = "IMAGE_CORRUPT"


class ImageTooManyPixels(SampleError):
    reason = "IMAGE_TOO_MANY_PIXELS"


class ImageTooSmall(SampleError):
    reason = "IMAGE_TOO_SMALL"


class ImageAnimated(SampleError):
    reason = "IMAGE_ANIMATED"


class CropInvalid(SampleError):
    reason = "CROP_INVALID"


class StrokesFileInvalid(SampleError):
    reason = "STROKES_FILE_INVALID"


class StrokesUneven(SampleError):
    reason = "STROKES_UNEVEN"


class StrokesInvalid(SampleError):
    reason = "STROKES_INVALID"


class StrokesTooShort(SampleError):
    reason = "STROKES_TOO_SHORT"


class StrokesTooLong(SampleError):
    reason = "STROKES_TOO_LONG"


class StrokesTimeReversed(SampleError):
    reason = "STROKES_TIME_REVERSED"


class StrokesMotionless(SampleError):
    reason = "STROKES_MOTIONLESS"


class PenNeverDown(SampleError):
    reason = "PEN_NEVER_DOWN"


class NotFound(CountersignError):
    reason = "NOT_FOUND"


class PersonUnknown(NotFound):
    reason = "PERSON_UNKNOWN"


class QuarantineEmpty(NotFound):
    reason = "QUARANTINE_EMPTY"


class TemplateVersionUnknown(NotFound):
    reason = "TEMPLATE_VERSION_UNKNOWN"


class ModelUnknown(NotFound):
    reason = "MODEL_UNKNOWN"


class Conflict(CountersignError):
    reason = "CONFLICT"


class RequestIdReused(Conflict):
    reason = "REQUEST_ID_REUSED"


class VersionConflict(Conflict):
    reason = "VERSION_CONFLICT"


class StateError(CountersignError):
    reason = "STATE_REFUSES"


class TooFewReferences(StateError):
    """`causes`: why each sample could not be used, where samples were at fault."""

    reason = "TOO_FEW_REFERENCES"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        fix: str | None = None,
        causes: Sequence[SampleError] = (),
    ) -> None:
        super().__init__(message, field=field, fix=fix)
        self.causes = tuple(causes)


class TemplateFull(StateError):
    reason = "TEMPLATE_FULL"


class ModelMismatch(StateError):
    reason = "MODEL_MISMATCH"


class PolicyMismatch(StateError):
    reason = "POLICY_MISMATCH"


class CandidateUnfit(StateError):
    reason = "CANDIDATE_UNFIT"


class IdentifyOff(StateError):
    reason = "IDENTIFY_OFF"


class TargetFarUnavailable(StateError):
    reason = "TARGET_FAR_UNAVAILABLE"


class AccessError(CountersignError):
    reason = "ACCESS_REFUSED"


class TokenInvalid(AccessError):
    reason = "TOKEN_INVALID"


class ScopeMissing(AccessError):
    reason = "SCOPE_MISSING"


class TryLater(CountersignError):
    """`retry_after`: seconds until the same call may be made again, more than 0."""

    reason = "TRY_LATER"

    def __init__(
        self, message: str, *, field: str | None = None, fix: str | None = None, retry_after: float = 1.0
    ) -> None:
        super().__init__(message, field=field, fix=fix)
        self.retry_after = retry_after


class RateLimited(TryLater):
    reason = "RATE_LIMITED"


class LockedOut(TryLater):
    reason = "LOCKED_OUT"


class ServiceOverloaded(TryLater):
    reason = "SERVICE_OVERLOADED"


class GalleryBuilding(TryLater):
    reason = "GALLERY_BUILDING"


class DeadlineExpired(CountersignError):
    reason = "DEADLINE_EXPIRED"


class ServiceError(CountersignError):
    reason = "SERVICE_ERROR"


class ServiceUnavailable(ServiceError):
    reason = "SERVICE_UNAVAILABLE"


class ServiceFailed(ServiceError):
    """`incident`: the id under which the service logged what happened."""

    reason = "SERVICE_FAILED"

    def __init__(
        self, message: str, *, field: str | None = None, fix: str | None = None, incident: str | None = None
    ) -> None:
        super().__init__(message, field=field, fix=fix)
        self.incident = incident


class BundleError(CountersignError):
    reason = "BUNDLE_UNUSABLE"


class BundleIncomplete(BundleError):
    reason = "BUNDLE_INCOMPLETE"


class BundleDigestMismatch(BundleError):
    reason = "BUNDLE_DIGEST_MISMATCH"


class BundleVersionUnsupported(BundleError):
    reason = "BUNDLE_VERSION_UNSUPPORTED"


class BundleShapeMismatch(BundleError):
    reason = "BUNDLE_SHAPE_MISMATCH"


class BundleCorrupt(BundleError):
    reason = "BUNDLE_CORRUPT"


class StoreError(CountersignError):
    reason = "STORE_FAILED"


class StoreUnavailable(StoreError):
    reason = "STORE_UNAVAILABLE"


class StoreCorrupt(StoreError):
    reason = "STORE_CORRUPT"


class StoreKeyMissing(StoreError):
    reason = "STORE_KEY_MISSING"


class AuditBroken(StoreError):
    reason = "AUDIT_BROKEN"


class ConfigError(CountersignError):
    reason = "CONFIG_INVALID"


class AddressInUse(ConfigError):
    reason = "ADDRESS_IN_USE"


class CorpusError(CountersignError):
    reason = "CORPUS_UNUSABLE"


class CorpusMissing(CorpusError):
    reason = "CORPUS_MISSING"


class CorpusInvalid(CorpusError):
    reason = "CORPUS_INVALID"


class CorpusOverlap(CorpusError):
    reason = "CORPUS_OVERLAP"


class TrialsError(CountersignError):
    reason = "TRIALS_INSUFFICIENT"


class TrainingError(CountersignError):
    reason = "TRAINING_FAILED"
