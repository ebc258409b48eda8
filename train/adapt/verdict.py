"""What the differences say, in words: better, worse, or no difference shown.

Every rate that was compared (EER and FRR at each FAR, against each kind of impostor) is a chance to find a difference
where there is none, so their p-values are adjusted together (Holm 1979). Kinds of impostor are never pooled.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eval.page.wording import KIND_TITLES, level
from eval.trials import ScoreTable
from eval.verdicts.compare import compare
from eval.verdicts.comparison_results import Difference
from eval.verdicts.paired import holm
from verify.policy import Rate

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class RateDifference:
    """One rate of the second model minus that of the first, with its 95 % interval; `p_holm` over all rates."""

    impostor: str
    rate: str
    before: float
    before_low: float
    before_high: float
    after: float
    after_low: float
    after_high: float
    value: float
    low: float
    high: float
    p_holm: float
    people: int
    genuine: int
    impostors: int


@dataclass(frozen=True)
class Verdict:
    """`word` is "better", "worse" or "no difference shown"."""

    word: str
    rates: tuple[RateDifference, ...]

    def describe(self) -> dict[str, Any]:
        """For the report."""
        return {"verdict": self.word, "rates": [asdict(rate) for rate in self.rates]}


def verdict(tables: Mapping[str, ScoreTable], first: str, second: str, *, seed: int, replicates: int) -> Verdict:
    """Is `second` better than `first`, on the same people?"""
    results = compare(
        {name: tables[name] for name in (first, second)}, replicates=replicates, seed=seed, quiet=True
    ).results
    found = []
    for kind, block in results.blocks.items():
        before, after = (model.rates for model in block.models)
        rows: list[tuple[str, Rate, Rate, Difference]] = [
            (f"FRR at FAR {level(point.far)}", old.frr, new.frr, point.differences[0])
            for point, old, new in zip(block.frr_at_far, before.frr_at_far, after.frr_at_far, strict=True)
        ]
        rows.append(("EER", before.eer, after.eer, block.eer[0]))
        for name, old, new, one in rows:
            counts = before.trials
            found.append(
                (
                    one.p,
                    RateDifference(
                        *(KIND_TITLES[kind], name, old.value, old.low, old.high, new.value, new.low, new.high),
                        *(one.value, one.low, one.high, 1.0),
                        *(counts.people or 0, counts.genuine_comparisons, counts.impostor_comparisons),
                    ),
                )
            )
    adjusted = holm([p for p, _ in found])
    rates = tuple(
        RateDifference(**(asdict(rate) | {"p_holm": p})) for (_, rate), p in zip(found, adjusted, strict=True)
    )
    shown = [rate.value for rate in rates if rate.p_holm < SIGNIFICANT]
    word = "worse" if any(value > 0 for value in shown) else "better" if shown else "no difference shown"
    return Verdict(word, rates)
