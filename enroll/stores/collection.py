"""What an operator decides for one collection: whether templates adapt, and whether samples are kept.

A collection that nothing was decided for has the defaults: templates change by enrolment alone, no sample is stored.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Self

from encode.errors import ConfigError, StoreCorrupt

MOST_VERSIONS = 1_000
LONGEST_QUARANTINE_HOURS = 8_760.0


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """The settings of one collection.

    Attributes
    ----------
    adapt : whether accepted probes may become references (see `enroll.adaptation`).
    update_target_far : the target FAR that a probe must meet to become one, in (0, 1); None leaves it to the policy.
    keep_samples : whether samples are stored, sealed, for a change of model.
    versions_kept : how many earlier versions of a template are kept for a rollback, 0 to 1,000.
    quarantine_hours : how long a probe waits before it counts as a reference, 0 to 8,760.
    max_drift : how far the mean of a template may move from that of its anchors, in standard deviations within people
        (see `enroll.adaptation`), more than 0.

    Raises
    ------
    ConfigError : a value is out of its range; `field` names it.
    """

    adapt: bool = False
    update_target_far: float | None = None
    keep_samples: bool = False
    versions_kept: int = 50
    quarantine_hours: float = 24.0
    max_drift: float = 0.6

    def __post_init__(self) -> None:
        for name in ("adapt", "keep_samples"):
            if not isinstance(getattr(self, name), bool):
                raise _unusable(name, "it is true or false")
        far = self.update_target_far
        if far is not None and not (_number(far) and 0 < far < 1):
            raise _unusable("update_target_far", "a false-accept rate lies between 0 and 1")
        kept = self.versions_kept
        if type(kept) is not int or not 0 <= kept <= MOST_VERSIONS:
            raise _unusable("versions_kept", f"it is a number from 0 to {MOST_VERSIONS}")
        hours = self.quarantine_hours
        if not (_number(hours) and 0 <= hours <= LONGEST_QUARANTINE_HOURS):
            raise _unusable("quarantine_hours", f"it is a number of hours from 0 to {LONGEST_QUARANTINE_HOURS:g}")
        if not (_number(self.max_drift) and self.max_drift > 0):
            raise _unusable("max_drift", "it is a number above 0")

    def to_json(self) -> bytes:
        """The stored form; the same for equal settings."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read the stored form; what it does not name has its default.

        Raises
        ------
        StoreCorrupt : it is not the form of settings that this release knows.
        """
        try:
            told = json.loads(data)
            if not isinstance(told, dict):
                raise TypeError("not an object")
            return cls(**told)
        except (ValueError, TypeError, RecursionError, ConfigError) as error:
            raise StoreCorrupt(
                "the settings of a collection do not decode",
                fix="use the release that wrote them, or set them again with `countersign collection set --reset`",
            ) from error


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _unusable(name: str, why: str) -> ConfigError:
    return ConfigError(f"the setting {name} cannot be used: {why}", field=name, fix="choose another value")
