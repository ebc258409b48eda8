"""What the service counts of itself: hooks that are called as things happen, and here do nothing.

The service and its parts are handed a :class:`Metrics`; one that counts is
:class:`verify.observing.prometheus.PrometheusMetrics`. No hook takes what identifies a person or a caller, nor the name
of a collection. All are safe from any thread, never raise, and are cheap beside a call.
"""

from collections.abc import Iterable, Mapping

from encode.sample import Modality
from verify.decision import Decision
from verify.model import Model


class Metrics:
    """Counts nothing: for tests, and for services whose metrics nobody collects."""

    def serving(self, models: Mapping[Modality, Model], retiring: Iterable[Model]) -> None:
        """The bundles that answer from now on."""

    def call(self, method: str, code: str, seconds: float) -> None:
        """A call ended. `method` without the leading slash, `code` by its name (``OK``)."""

    def item(self, method: str, reason: str | None) -> None:
        """A message of a stream was answered: as asked, or with an error of the tree, by its reason."""

    def queue(self, *, waiting: int, working: int) -> None:
        """The calls there are at the moment: without a thread, and with one."""

    def waited(self, seconds: float) -> None:
        """A call was given a thread, so long after it asked for one."""

    def dropped(self, reason: str) -> None:
        """A call was turned away without work. `reason` is one of a few fixed words."""

    def batch(self, modality: Modality, rows: int) -> None:
        """So many samples went through the network at once."""

    def decided(self, decision: Decision) -> None:
        """A claim was decided."""

    def gallery(self, people: int, *, ready: bool) -> None:
        """The size of what Identify searches, all collections together, and whether it can be searched."""

    def searched(self, seconds: float, *, found: bool) -> None:
        """An Identify took so long on its thread, from samples to the answer, and named somebody or nobody."""
