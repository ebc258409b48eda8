"""What a load measured: how many calls were answered with which code, and how long each took."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Outcome:
    """Attributes
    ----------
    seconds : from the first call until the last answer.
    codes : names of gRPC status codes → calls that ended with it.
    latencies : seconds of each call that ended OK, float64 (n,); of an open loop from when it was due, not from when it
        was sent.
    lag : seconds after it was due that a call of an open loop was sent, p99: what the generator adds to latencies.
    """

    seconds: float
    codes: Counter[str]
    latencies: NDArray[np.float64]
    lag: float = 0.0

    @property
    def answered(self) -> int:
        return self.codes["OK"]

    @property
    def sent(self) -> int:
        return self.codes.total()

    @property
    def rate(self) -> float:
        """Calls answered a second."""
        return self.answered / self.seconds

    def ms(self, share: float) -> float:
        """The latency that a share of the answered calls does not exceed, in milliseconds; NaN where none was."""
        return 1e3 * float(np.quantile(self.latencies, share)) if len(self.latencies) else float("nan")

    def __add__(self, other: "Outcome") -> "Outcome":
        """Both, one after the other."""
        return Outcome(
            self.seconds + other.seconds,
            self.codes + other.codes,
            np.concatenate([self.latencies, other.latencies]),
            max(self.lag, other.lag),
        )
