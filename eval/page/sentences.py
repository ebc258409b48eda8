"""The results in plain sentences: what to promise, how far the evidence carries, and each block in a line or two."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from eval.page.wording import (
    KIND_PEOPLE,
    SPACE,
    headline,
    interval,
    level,
    lowest_supported_far,
    percent,
    share_of,
)
from eval.results.counted_rate import CountedRate
from eval.results.kind_results import (
    Calibration,
    FoldAccuracy,
    GroupColumn,
    GroupRates,
    KindResults,
    PersonThresholds,
    PolicyPoint,
    TransferredPoint,
)
from eval.results.search_results import EmbeddingQuality, Identification
from eval.trials import TrialKind
from verify.policy import ERRORS_NEEDED

HONEST_GAP, ROUGH_GAP = 0.02, 0.05
"""Expected calibration errors up to which stated probabilities are called true, and roughly true."""


@dataclass(frozen=True)
class Promise:
    """The rates to go by, and who chose the threshold they hold at."""

    threshold_chosen: Literal["on development people", "by policy", "a posteriori"]
    target_far: float
    far: CountedRate
    frr: CountedRate
    beyond_evidence: bool
    comparisons: int | None
    """Distinct impostor comparisons that the threshold was chosen on; None where the block does not tell."""


def promise(block: KindResults) -> Promise:
    """The best founded rates of the block.

    Those at thresholds of development people come first, then those of the bundle's policy, then the a-posteriori ones;
    of either the strictest target that its evidence supports, or the most lenient one where it supports none.
    """
    fixed: tuple[Sequence[TransferredPoint | PolicyPoint], ...] = (block.at_development, block.at_policy)
    for rows in fixed:
        if rows:
            supported = [row for row in rows if not row.beyond_evidence]
            row = min(supported or [max(rows, key=_target)], key=_target)
            seen = row.development_impostor if isinstance(row, TransferredPoint) else None
            return Promise(row.threshold_chosen, row.target_far, row.achieved_far, row.frr, row.beyond_evidence, seen)
    best = headline(block)
    seen = block.trials.impostor_comparisons
    return Promise(best.threshold_chosen, best.far, best.achieved_far, best.frr, best.beyond_evidence, seen)


def _target(row: TransferredPoint | PolicyPoint) -> float:
    return row.target_far


def summary(kind: TrialKind, block: KindResults) -> Iterator[str]:
    """The result of one kind of impostor; the first sentence is the one to remember."""
    best, counts = promise(block), block.trials
    yield _leading(kind, best)
    if best.threshold_chosen == "on development people":
        yield (
            f"That threshold was set on {best.comparisons:,} distinct comparisons of other people, "
            f"{'too few' if best.beyond_evidence else 'enough'} for this FAR by the rule of {ERRORS_NEEDED}."
        )
    if counts.people is None:
        yield (
            f"This rests on {counts.genuine:,} genuine and {counts.impostor:,} impostor scores, "
            "of which nobody recorded whose they are."
        )
    else:
        opening = (
            "Altogether the trials are of" if best.threshold_chosen == "on development people" else "This rests on"
        )
        yield (
            f"{opening} {counts.people:,} people, {counts.genuine_probes:,} distinct genuine samples and "
            f"{counts.impostor_comparisons:,} distinct impostor comparisons."
        )
    if any(row.beyond_evidence for row in block.frr_at_far):
        # Rows of thresholds set beforehand are marked by the evidence of whoever set them.
        chosen = "" if best.threshold_chosen == "a posteriori" else ", where thresholds are chosen after the fact"
        yield (
            f"So many comparisons can show false-accept rates down to {percent(lowest_supported_far(block))}; rows "
            f"below that{chosen}, marked †, rest on too few errors to be relied on."
        )
    else:
        strictest = min(block.frr_at_far, key=lambda row: row.far)
        yield (
            f"That is enough for every rate stated here, down to a FAR of {level(strictest.far)} "
            f"(rule of {ERRORS_NEEDED})."
        )


def turned_away(frr: CountedRate) -> str:
    """`1.50 % of genuine attempts are turned away (95 % interval …)`, or that none was."""
    said = f"(95{SPACE}% interval {interval(frr)})"
    if frr.errors == 0:
        return f"none of {frr.trials:,} genuine attempts is turned away {said}"
    return f"{percent(frr.value)} of genuine attempts are turned away {said}"


def _leading(kind: TrialKind, best: Promise) -> str:
    if best.threshold_chosen == "a posteriori":
        attempts = share_of(best.target_far, f"attempts by {KIND_PEOPLE[kind]}")
        return f"When {attempts} let through, {turned_away(best.frr)}."
    whose = {
        "on development people": f"that development people set for a FAR of {level(best.target_far)}",
        "by policy": f"of the bundle’s policy for a FAR of {level(best.target_far)}",
    }[best.threshold_chosen]
    if best.far.errors:
        accepted = f"{percent(best.far.value)} of attempts by {KIND_PEOPLE[kind]} are let through"
    else:
        accepted = f"none of {best.far.trials:,} attempts by {KIND_PEOPLE[kind]} is let through"
    return f"At the threshold {whose}, {turned_away(best.frr)} and {accepted} ({interval(best.far)})."


def calibration(block: Calibration) -> str:
    """What the calibration means for a threshold on the probability."""
    gap = block.expected_calibration_error
    off = f"on average {100 * gap:.1f} percentage points off the share found"
    if block.cllr >= 1:
        verdict = (
            f"Read as probabilities the scores say less than no score at all (they are {off}): "
            "set thresholds by FAR, never by probability"
        )
    elif gap <= HONEST_GAP:
        verdict = f"Stated probabilities can be taken at their word: they are {off}, so a probability threshold holds"
    elif gap <= ROUGH_GAP:
        verdict = (
            f"Stated probabilities are roughly right, {off}: prefer thresholds by FAR to thresholds by probability"
        )
    else:
        verdict = f"Stated probabilities are {off}: do not set thresholds by probability, set them by FAR"
    return (
        f"{verdict}. Cllr is {block.cllr:.3f} bits (0 is perfect, 1 says nothing); the best recalibration would reach "
        f"{block.min_cllr:.3f} (minCllr), so {max(block.cllr - block.min_cllr, 0):.3f} is lost to calibration."
    )


def group_name(column: str) -> str:
    """`group_age_band` → `age band`."""
    return column.removeprefix("group_").replace("_", " ") or column


def groups(column: GroupColumn) -> Iterator[str]:
    """The largest ratios between groups, and how far to trust them."""
    yield from (text for text in (_ratio(column, "frr"), _ratio(column, "far")) if text)
    if column.frr_ratio is None and column.far_ratio is None:
        yield "A group without an error, or with no trials, leaves no ratio to state."
    if column.beyond_evidence:
        yield (
            f"Evidence is thin: at least one group has fewer than {ERRORS_NEEDED} errors to expect, so a ratio may be "
            "chance. Compare the intervals."
        )


def _ratio(column: GroupColumn, name: Literal["frr", "far"]) -> str:
    ratio = column.frr_ratio if name == "frr" else column.far_ratio
    known = [(row, rate) for row in column.rows if (rate := _rate(row, name))]
    if ratio is None or not known:
        return ""
    high = max(known, key=lambda pair: pair[1].value)
    low = min(known, key=lambda pair: pair[1].value)
    what = "Genuine people are turned away" if name == "frr" else "Impostors are let through"
    return (
        f"{what} {ratio:.1f} times as often in “{high[0].group}” as in “{low[0].group}” "
        f"({percent(high[1].value)} against {percent(low[1].value)})."
    )


def _rate(row: GroupRates, name: Literal["frr", "far"]) -> CountedRate | None:
    return row.frr if name == "frr" else row.far


def identification(block: Identification) -> Iterator[str]:
    """Closed set, then open set at the strictest rate that the searches support."""
    by_rank = {point.rank: point.rate for point in block.cmc}
    if first := by_rank.get(1):
        text = (
            f"Searched for among {block.gallery:,} people enrolled, the right person comes first in "
            f"{percent(first.value)} of searches (95{SPACE}% interval {interval(first)})"
        )
        further = max((rank for rank in by_rank if 1 < rank <= 10), default=None)
        yield (
            f"{text}, and is among the first {further} in {percent(by_rank[further].value)}." if further else f"{text}."
        )
    supported = [row for row in block.open_set if not row.beyond_evidence]
    for row in [min(supported, key=lambda row: row.fpir)] if supported else block.open_set[-1:]:
        yield (
            f"When {share_of(row.fpir, 'searches for somebody who is not enrolled', ('may', 'may'))} end in a name, "
            f"{percent(row.fnir.value)} of searches for somebody who is enrolled miss the person "
            f"(95{SPACE}% interval {interval(row.fnir)})."
        )


def embedding(block: EmbeddingQuality) -> str:
    """What the embedding alone can do."""
    return (
        f"By the embedding alone, without an identity model, the sample most like another one is of the same person in "
        f"{percent(block.precision_at_1.value)} of {block.queries:,} cases (precision@1, 95{SPACE}% interval "
        f"{interval(block.precision_at_1)}); MAP@R, which asks for all samples of the person first, is "
        f"{percent(block.map_at_r.value)} ({interval(block.map_at_r)})."
    )


def own_thresholds(block: PersonThresholds) -> str:
    """How far people's own thresholds lie apart, and what they could gain at most."""
    shifts = {quantile.share: quantile.at_far for quantile in block.quantiles}
    apart = ""
    if 0.25 in shifts and 0.75 in shifts:
        apart = (
            f"Half of the {block.people:,} people’s own thresholds at a FAR of {level(block.far)} lie between "
            f"{_shift(shifts[0.25])} and {_shift(shifts[0.75])} of the common one. "
        )
    return (
        f"{apart}With a threshold of each person’s own, set after the fact, FRR would go from "
        f"{percent(block.frr_common.value)} to {percent(block.frr_own.value)} ({interval(block.frr_own)}) and FAR from "
        f"{percent(block.far_common.value)} to {percent(block.far_own.value)}, as means over people. No service could "
        "set such thresholds: this is what normalising scores could gain at most."
    )


def fold_accuracy(block: FoldAccuracy) -> str:
    """Accuracy over folds, to compare with literature."""
    return (
        f"Accuracy over {len(block.folds)} folds is {percent(block.accuracy.value)} (standard error "
        f"{100 * block.standard_error:.2f} percentage points, 95{SPACE}% interval {interval(block.accuracy)}), each at "
        "the threshold that suits all other folds best. It is stated to compare with literature: it depends on how "
        "many trials are genuine, and no threshold can be chosen by it."
    )


def _shift(nats: float) -> str:
    return f"{nats:+.2f}".replace("-", "−")
