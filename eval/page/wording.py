"""How rates are written for people: what the report and the terminal have in common."""

import math

from eval.results.kind_results import KindResults, OperatingPoint
from eval.trials import TrialKind
from verify.policy import ERRORS_NEEDED, Rate

SPACE = "\u202f"
"""A narrow no-break space, as set between a number and its unit."""

KIND_TITLES = {TrialKind.RANDOM: "Zero-effort impostors", TrialKind.SKILLED: "Skilled forgeries"}
KIND_PEOPLE = {TrialKind.RANDOM: "strangers who make no effort", TrialKind.SKILLED: "skilled forgers"}

ERRORS_AT = 0.01
"""The FAR at whose threshold the histogram's line stands and the worst errors are listed, where it was reported."""


def percent(rate: float) -> str:
    """A share in [0, 1] as a percentage of about two significant digits: 12.3 %, 1.50 %, 0.0064 %, 0.000094 %."""
    value = 100 * rate
    if value in (0.0, 100.0):
        digits = f"{value:.0f}"
    elif value >= 10:
        digits = _below_whole(value)
    elif value >= 0.1:
        digits = f"{value:.2f}"
    else:
        digits = _plainly(float(f"{value:.2g}")) if value >= 1e-7 else f"{value:.1e}"
    return f"{digits}{SPACE}%"


def interval(rate: Rate) -> str:
    """The ends of an interval: 0.61–2.94 %."""
    return ends(rate.low, rate.high)


def ends(low: float, high: float) -> str:
    """Two shares with their unit named once; the lower end has at most one decimal more than the upper one."""
    unit = f"{SPACE}%"
    lower, upper = percent(low).removesuffix(unit), percent(high).removesuffix(unit)
    most = len(upper.partition(".")[2]) + 1
    if "e" not in upper and ("e" in lower or len(lower.partition(".")[2]) > most):
        # Cut off, not rounded: the interval may only grow by it.
        lower = f"{math.floor(100 * low * 10**most) / 10**most:.{most}f}".rstrip("0").rstrip(".")
    return f"{lower}–{upper}{unit}"


def level(far: float) -> str:
    """A rate that somebody chose, without digits nobody asked for: 7.5 %, 0.1 %, 0.0001 %."""
    return f"{_plainly(100 * far) if far >= 1e-12 else f'{100 * far:g}'}{SPACE}%"


def score(value: float) -> str:
    """A score or threshold to a thousandth, with a minus sign."""
    return f"{value:.3f}".replace("-", "−")


def one_in(far: float) -> str:
    """`1 in 1,000`, or a percentage where no round number says it."""
    times = 1 / far
    return f"1 in {round(times):,}" if abs(times - round(times)) < 1e-6 * times else level(far)


def share_of(far: float, what: str, verbs: tuple[str, str] = ("is", "are")) -> str:
    """A chosen rate of `what` with its verb: `1 in 100 attempts is`, `7.5 % of attempts are`."""
    said = one_in(far)
    return f"{said} {what} {verbs[0]}" if said.startswith("1 in") else f"{said} of {what} {verbs[1]}"


def lowest_supported_far(block: KindResults) -> float:
    """The lowest FAR that the trials can show, by the rule of 30 over distinct comparisons."""
    return min(1.0, ERRORS_NEEDED / block.trials.impostor_comparisons)


def headline(block: KindResults) -> OperatingPoint:
    """The strictest of the rows that the trials support, or the most lenient row where they support none."""
    supported = [row for row in block.frr_at_far if not row.beyond_evidence]
    return min(supported, key=lambda row: row.far) if supported else max(block.frr_at_far, key=lambda row: row.far)


def errors_row(block: KindResults) -> OperatingPoint:
    """The row of FAR 1 %, or the headline's where that was not asked for."""
    return next((row for row in block.frr_at_far if row.far == ERRORS_AT), headline(block))


def _plainly(value: float) -> str:
    """Without an exponent or closing zeros."""
    return f"{value:.12f}".rstrip("0").rstrip(".")


def _below_whole(value: float) -> str:
    """One decimal, or as many as it takes not to say 100 % where something is missing."""
    return next((text for digits in range(1, 9) if float(text := f"{value:.{digits}f}") < 100), "100")
