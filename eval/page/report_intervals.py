"""Every rate of one kind of impostor in one list, with both intervals and what it was counted from."""

from collections.abc import Iterator
from dataclasses import dataclass

from eval.page.wording import level
from eval.results.counted_rate import CountedRate
from eval.results.kind_results import KindResults, Threshold
from verify.policy import Rate


@dataclass(frozen=True)
class StatedRate:
    """A rate as the results state it; `counted` is the same with its counts, where it is a share of trials."""

    name: str
    rate: Rate
    counted: CountedRate | None = None


def stated_rates(block: KindResults) -> Iterator[tuple[str, list[StatedRate]]]:
    """Heading → rates, in the order of the report."""
    general = [StatedRate("EER", block.eer)]
    if block.eer_per_person:
        general.append(StatedRate("EER, own thresholds", block.eer_per_person))
    yield "Whole curve", [*general, StatedRate("Area under the ROC", block.auc)]
    for row in block.at_development:
        yield (
            f"Development people’s threshold for FAR {level(row.target_far)}",
            [_counted("FAR", row.achieved_far), _counted("FRR", row.frr)],
        )
    for one in block.at_policy:
        yield f"Policy’s threshold for FAR {level(one.target_far)}", _both(block, one, one.achieved_far, one.frr)
    for point in block.frr_at_far:
        yield f"FAR {level(point.far)}, a posteriori", _both(block, point, point.achieved_far, point.frr)
    for other in block.far_at_frr:
        yield f"FRR {level(other.target_frr)}, a posteriori", _both(block, other, other.achieved_far, other.frr)


def _both(block: KindResults, row: Threshold, far: CountedRate, frr: CountedRate) -> list[StatedRate]:
    rates = [_counted("FAR", far), _counted("FRR", frr)]
    if block.trials.genuine_failures or block.trials.impostor_failures:
        rates += [StatedRate("FMR", row.fmr), StatedRate("FNMR", row.fnmr)]
    return rates


def _counted(name: str, rate: CountedRate) -> StatedRate:
    return StatedRate(name, rate, rate)
