"""Rates in words and figures for people: what the report and the terminal say."""

from collections.abc import Iterator

from eval.kind_results import KindResults, OperatingPoint
from eval.results import Results
from eval.trials import TrialKind
from verify.policy import ERRORS_NEEDED, Rate

SPACE = "\u202f"
"""A narrow no-break space, as set between a number and its unit."""

KIND_TITLES = {TrialKind.RANDOM: "Zero-effort impostors", TrialKind.SKILLED: "Skilled forgeries"}
KIND_PEOPLE = {TrialKind.RANDOM: "strangers who make no effort", TrialKind.SKILLED: "skilled forgers"}


def percent(rate: float) -> str:
    """A share in [0, 1] as a percentage of about two significant digits: 12.3 %, 1.50 %, 0.0064 %."""
    value = 100 * rate
    if value in (0.0, 100.0):
        digits = f"{value:.0f}"
    elif value >= 10:
        digits = f"{value:.1f}"
    elif value >= 0.1:
        digits = f"{value:.2f}"
    else:
        digits = f"{value:.2g}" if value >= 0.0001 else f"{value:.1e}"
    return f"{digits}{SPACE}%"


def interval(rate: Rate) -> str:
    """The ends of an interval: 0.61–2.94 %."""
    return f"{percent(rate.low).removesuffix(f'{SPACE}%')}–{percent(rate.high)}"


def level(far: float) -> str:
    """A FAR that somebody chose, without digits nobody asked for: 7.5 %, 0.1 %."""
    return f"{100 * far:g}{SPACE}%"


def one_in(far: float) -> str:
    """`1 in 1,000`, or a percentage where no round number says it."""
    times = 1 / far
    return f"1 in {round(times):,}" if abs(times - round(times)) < 1e-6 else level(far)


def lowest_supported_far(block: KindResults) -> float:
    """The lowest FAR that the trials can show, by the rule of 30 over distinct comparisons."""
    return min(1.0, ERRORS_NEEDED / block.trials.impostor_comparisons)


def headline(block: KindResults) -> OperatingPoint:
    """The strictest of the rows that the trials support, or the most lenient row where they support none."""
    supported = [row for row in block.frr_at_far if not row.beyond_evidence]
    return min(supported, key=lambda row: row.far) if supported else max(block.frr_at_far, key=lambda row: row.far)


def summary(kind: TrialKind, block: KindResults) -> Iterator[str]:
    """The result in plain sentences."""
    row = headline(block)
    yield (
        f"When {one_in(row.far)} attempts by {KIND_PEOPLE[kind]} is let through, {percent(row.frr.value)} of genuine "
        f"attempts are turned away (95{SPACE}% interval {interval(row.frr)})."
    )
    counts = block.trials
    yield (
        f"This rests on {counts.people:,} people, {counts.genuine_probes:,} distinct genuine samples and "
        f"{counts.impostor_comparisons:,} distinct impostor comparisons."
    )
    floor = lowest_supported_far(block)
    if any(r.beyond_evidence for r in block.frr_at_far):
        yield (
            f"So many comparisons can show false-accept rates down to {percent(floor)}; "
            "rows below that, marked †, rest on too few errors to be relied on."
        )


def warnings(results: Results) -> Iterator[str]:
    """What a reader must know before trusting the rates."""
    corpus, failures = results.corpus, results.failures
    if corpus and corpus.used_in_making_the_model:
        yield (
            f"This corpus was used in the model's {corpus.used_in_making_the_model}. "
            "The rates below flatter the model; they are not those of a test."
        )
    if corpus and failures and failures.samples:
        yield (
            f"{failures.samples:,} of {corpus.samples:,} samples could not be acquired. As probes they count "
            "as rejected, and the rates include them."
        )
    if failures and failures.people_failed:
        yield (
            f"{failures.people_failed:,} of {failures.people_attempted:,} people failed to enroll and are in no rate "
            "of this report."
        )
