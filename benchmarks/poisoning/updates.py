"""Ways in which a template may learn from accepted probes, each driven alike.

none          it does not
window        whatever was accepted pushes out the oldest reference of all: naive self-update
ring          whatever was accepted enters the ring of later references; the anchors stay
unbounded     the rule of `enroll.adaptation`: one candidate a quarantine, at a stricter threshold
defended      the same, and what is learned raises no ratio by more than the policy's gain: what the service does
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from encode.sample import Modality
from enroll.adaptation import Step, UpdateRule, admit, dismiss, judge, settle
from enroll.identity import IdentityModel
from enroll.person import Person
from enroll.template import Template

Row = NDArray[np.float32]

_START = datetime(2020, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Way(Protocol):
    """A template of one person that is offered probes, one a day."""

    accept: float

    def person(self) -> Person:
        """Whom a probe is compared with today."""

    def takes(self, row: Row) -> bool:
        """Whether an accepted `row` (d,) would be learned from."""

    def learn(self, row: Row, *, accepted: bool) -> bool:
        """Show today's probe; whether it was taken in. A day passes."""


class Unchanged:
    """No adaptation."""

    def __init__(self, enrolled: Row, identity: IdentityModel, accept: float) -> None:
        self.accept = accept
        self._person = identity.fit(enrolled)

    def person(self) -> Person:
        return self._person

    def takes(self, row: Row) -> bool:
        return False

    def learn(self, row: Row, *, accepted: bool) -> bool:
        return False


class Naive:
    """Self-update at the accept threshold; the first `kept` references stay for good."""

    def __init__(self, enrolled: Row, identity: IdentityModel, accept: float, *, kept: int, capacity: int) -> None:
        self.accept = accept
        self._identity, self._rows, self._kept, self._capacity = identity, enrolled, kept, capacity
        self._person = identity.fit(enrolled)

    def person(self) -> Person:
        return self._person

    def takes(self, row: Row) -> bool:
        return bool(self._identity.llr(self.person(), row)[0] >= self.accept)

    def learn(self, row: Row, *, accepted: bool) -> bool:
        if accepted:
            ring = np.concatenate([self._rows[self._kept :], row[np.newaxis]])
            self._rows = np.concatenate([self._rows[: self._kept], ring[-self._capacity :]])
            self._person = self._identity.fit(self._rows)
        return accepted


class Defended:
    """The service's own rule, on a template whose clock goes on by `step` after every probe."""

    def __init__(
        self,
        enrolled: Row,
        identity: IdentityModel,
        accept: float,
        rule: UpdateRule,
        gain: float,
        *,
        step: timedelta = DAY,
    ) -> None:
        self.accept = accept
        self._identity, self._rule, self._gain = identity, rule, gain
        self._now, self._step = _START, step
        empty = Template.empty("benchmark", "person", Modality.FACE, "0" * 64, size=enrolled.shape[1], now=_START)
        self.template = empty.with_references(
            enrolled, anchors_capacity=identity.anchors, recent_capacity=identity.recent, now=_START
        )
        self._fitted: tuple[int, Person] | None = None

    def person(self) -> Person:
        # Fitted anew only when the references have changed.
        if self._fitted is None or self._fitted[0] != self.template.version:
            self._fitted = self.template.version, self._identity.fit_template(self.template, gain=self._gain)
        return self._fitted[1]

    def takes(self, row: Row) -> bool:
        return judge(self.template, row, self._identity, self._rule) is None

    def learn(self, row: Row, *, accepted: bool) -> bool:
        taken = False
        if accepted:
            self._do(settle(self.template, self._identity, self._rule, self._now))
            found = admit(self.template, row, self._identity, self._rule, self._now)
            taken = isinstance(found, Step)
            self._do(found if isinstance(found, Step) else None)
        else:
            self._do(dismiss(self.template, self._now))
        self._now += self._step
        return taken

    def _do(self, step: Step | None) -> None:
        if step is not None:
            self.template = step.template


def make(way: str, enrolled: Row, identity: IdentityModel, accept: float, rule: UpdateRule, gain: float) -> Way:
    """One of :data:`WAYS` with these enrolled references (n, d)."""
    match way:
        case "none":
            return Unchanged(enrolled, identity, accept)
        case "window":
            return Naive(enrolled, identity, accept, kept=0, capacity=identity.anchors + identity.recent)
        case "ring":
            return Naive(enrolled, identity, accept, kept=identity.anchors, capacity=identity.recent)
        case "unbounded":
            return Defended(enrolled, identity, accept, rule, np.inf)
        case _:
            return Defended(enrolled, identity, accept, rule, gain)


WAYS = ("none", "window", "ring", "unbounded", "defended")
