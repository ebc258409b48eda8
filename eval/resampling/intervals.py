"""95 % intervals for error rates: closed forms for independent trials, a bound for a rate never seen to fail, and the
rate below which trials cannot be trusted at all.

Trials of one person resemble each other, so that a thousand trials of forty people tell less than a thousand trials of
a thousand people. `eval.resampling.bootstrap` is made for that; what is here is right where trials are independent, and
as the floor below which no interval may claim to know.
"""

from scipy.stats import beta

from encode.errors import TrialsError
from verify.policy import ERRORS_NEEDED, Rate

CONFIDENCE = 0.95


def clopper_pearson(errors: int, trials: int, confidence: float = CONFIDENCE) -> Rate:
    """The exact binomial interval (Clopper & Pearson 1934).

    Right for independent trials: one per person, or failures to acquire and to enroll. Never shorter than its
    confidence asks, so somewhat long. For several trials of one person it is too short, by as much as they are alike.
    """
    if not 0 <= errors <= trials or trials == 0:
        raise TrialsError(f"{errors} errors in {trials} trials is no rate")
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, errors, trials - errors + 1)) if errors else 0.0
    high = float(beta.ppf(1 - tail, errors + 1, trials - errors)) if errors < trials else 1.0
    return Rate(value=errors / trials, low=low, high=high)


def rule_of_three(trials: float, confidence: float = CONFIDENCE) -> float:
    """Upper bound of a rate of which no error was seen in `trials` independent trials: about 3 / trials.

    Solves (1 - bound)^trials = 1 - confidence exactly (Hanley & Lippman-Hand 1983). Right for independent trials and
    zero errors. Resampling cannot give this bound: an error that was never seen is in no resample.
    """
    if trials < 1:
        raise TrialsError("no trials, so nothing bounds the rate")
    return float(1 - (1 - confidence) ** (1 / trials))


def rule_of_thirty(trials: int) -> float:
    """The lowest rate that `trials` independent trials can show: 30 / trials, at most 1.

    With 30 errors seen, the true rate is within ±30 % of the observed one with 90 % confidence (Doddington et al. 2000,
    section 5.4). Right for independent trials, for which it says how many are enough before any are made; where trials
    share people more are needed, and only an interval by person tells. It is a rule for planning and for warnings: a
    rate below it has an interval all the same, and that interval is wide.

    Raises TrialsError if there are no trials.
    """
    if trials < 1:
        raise TrialsError("no trials, so they show no rate")
    return min(ERRORS_NEEDED / trials, 1.0)
