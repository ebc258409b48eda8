"""How often the 95 % intervals hold the true rate, where trials of one person are alike: should be 93 to 97 %.

python benchmarks/interval_coverage.py [--quick] [--only NAME]

Scores are simulated with effects of people in every role: goats (own genuine scores), lambs (impostor scores against
them), wolves (scores they reach as impostors), of the enrolment (draw) and of the probe sample, which all trials that
share them have in common:

    genuine   apart + goat_p + template_pd + sample_pk + noise
    impostor  lamb_p + wolf_q + template_pd + sample_qk + noise
    skilled   skill + 0.8 lamb_p + template_pd + sample_pk + noise

The truth is the rate among 4 million trials that share nothing. For every rate three intervals are made of each
simulated corpus: ours, the bootstrap of claimed people alone (impostors held fixed), and where it applies
Clopper–Pearson over distinct comparisons, as if trials were independent.

Rows outside 93 to 97 % are marked `<` and `>`. `few` marks rows where a corpus is expected to hold fewer than ten
errors of a kind that the rate rests on. There coverage follows the steps from one error to the next: a bound that still
holds where no error was seen makes it more than 95 %, and a threshold that hangs on one trial makes it less.

What stays outside: FAR at an FRR of about twenty people is a little long (97 to 98 %). `skewed` people have effects of
a gamma distribution (shape 1.5): the few who make the rare errors are often not among a small sample, and nothing in it
tells of them.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.measures.metrics import auc, equal_error, far_at, frr_at, threshold_at_far, threshold_at_frr
from eval.measures.rates import equal_error_by_person
from eval.resampling.bootstrap import GroupBootstrap, Replicates, bootstrap
from eval.resampling.intervals import clopper_pearson
from eval.resampling.roles import PersonCounts
from eval.resampling.threshold_grid import threshold_grid
from eval.trials import Trials
from verify.policy import Rate

FloatArray = NDArray[np.float64]
LOW, HIGH, FEW = 0.93, 0.97, 10
TRUTH = 4_000_000
REPLICATES = 200
FRRS = (0.2, 0.05)


@dataclass(frozen=True)
class Setting:
    """One kind of corpus; effects are standard deviations in units of the noise."""

    name: str
    people: int
    others: int = 0
    genuine: int = 10
    samples: int = 2
    draws: int = 1
    goat: float = 0.7
    lamb: float = 0.5
    wolf: float = 0.5
    alike: float = 0.0
    skewed: bool = False
    skilled: bool = False
    groups: int = 0
    independent: bool = False
    apart: float = 3.5
    skill: float = 0.8
    template: float = 0.3
    sample: float = 0.4
    fars: tuple[float, ...] = (0.2, 0.05, 0.005)
    runs: int = 1000


SETTINGS = (
    Setting("9 people", 9),
    Setting("20 people", 20),
    Setting("40 people, 2 draws", 40, samples=1, draws=2),
    Setting("100 people", 100, genuine=5, samples=1),
    Setting("40 people, lambs are wolves", 40, samples=1, alike=1.0),
    Setting("40 people, skewed", 40, samples=1, alike=0.5, skewed=True),
    Setting("15 people, 60 impostors", 15, others=60, samples=1),
    Setting("20 people, skilled", 20, skilled=True),
    Setting("40 people, skilled, 2 draws", 40, skilled=True, draws=2),
    Setting("100 people in 25 groups", 100, genuine=5, samples=1, groups=25),
    Setting("independent trials", 500, genuine=2, goat=0, lamb=0, wolf=0, template=0, sample=0, independent=True),
)


def effects(generator: np.random.Generator, people: int, setting: Setting) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Goat, lamb and wolf effects, (people,) each; who is easily imitated has lower genuine scores, too."""
    shape = (3, people)
    drawn = (generator.gamma(1.5, size=shape) - 1.5) / np.sqrt(1.5) if setting.skewed else generator.normal(size=shape)
    wolf = setting.alike * drawn[0] + np.sqrt(1 - setting.alike**2) * drawn[1]
    goat = -0.4 * drawn[0] + np.sqrt(1 - 0.4**2) * drawn[2]
    return setting.goat * goat, setting.lamb * drawn[0], setting.wolf * wolf


def population(setting: Setting) -> tuple[FloatArray, FloatArray]:
    """Ascending genuine and impostor scores (TRUTH,) that share nothing."""
    generator = np.random.default_rng(0)
    goat, lamb, _ = effects(generator, TRUTH, setting)
    wolf = effects(generator, TRUTH, setting)[2]
    noise = np.sqrt(1 + setting.template**2 + setting.sample**2)
    impostor = setting.skill + 0.8 * lamb if setting.skilled else lamb + wolf
    return (
        np.sort(setting.apart + goat + noise * generator.normal(size=TRUTH)),
        np.sort(impostor + noise * generator.normal(size=TRUTH)),
    )


def corpus(generator: np.random.Generator, setting: Setting) -> tuple[Trials, Trials]:
    """Genuine and impostor trials of one simulated corpus."""
    people, everyone = setting.people, setting.people + setting.others
    goat, lamb, wolf = effects(generator, everyone, setting)
    template = setting.template * generator.normal(size=(people, setting.draws, 1))

    def own(level: FloatArray, first: int) -> Trials:
        sample = setting.sample * generator.normal(size=(people, 1, setting.genuine))
        scores = level[:people, None, None] + template + sample
        scores = scores + generator.normal(size=scores.shape)
        claim, draw, index = (axis.ravel().astype(np.int32) for axis in np.indices(scores.shape))
        return Trials(scores.ravel(), claim, draw, first + claim * setting.genuine + index)

    genuine = own(setting.apart + goat, 0)
    if setting.skilled:
        return genuine, own(setting.skill + 0.8 * lamb, len(genuine))
    sample = setting.sample * generator.normal(size=(everyone, setting.samples))
    if setting.independent:
        return Trials.anonymous(genuine.scores), Trials.anonymous(generator.normal(size=sample.size))
    scores = (lamb[:people, None] + template[..., 0])[..., None, None] + (wolf[:, None] + sample)
    scores = scores + generator.normal(size=scores.shape)
    claim, draw, source, index = (axis.ravel().astype(np.int32) for axis in np.indices(scores.shape))
    probe = len(genuine) + source * setting.samples + index
    return genuine, Trials(scores.ravel(), claim, draw, probe, source).where(claim != source)


@dataclass(frozen=True)
class Row:
    """One rate: its name, its truth (NaN: the mean of what is stated), the least errors expected, how to state it."""

    name: str
    truth: float
    errors: float
    state: Callable[[Trials, Trials, Replicates], Rate]
    plain: Callable[[Trials, Trials], Rate] | None = None


def rows(setting: Setting, genuine: FloatArray, impostor: FloatArray, trials: tuple[int, int]) -> list[Row]:
    """Every rate that is stated of `setting`, given its population and how many distinct comparisons a corpus has."""
    found = []
    for far in setting.fars:
        t = float(np.quantile(impostor, 1 - far))
        found.append(_at_threshold("FAR", t, far, far * trials[1]))
        frr = float(np.searchsorted(genuine, t) / TRUTH)
        found.append(_at_threshold("FRR", t, frr, frr * trials[0]))
        found.append(
            Row(
                f"FRR at FAR {100 * far:g} %",
                frr,
                min(far * trials[1], frr * trials[0]),
                lambda g, i, b, far=far: b.frr_at_far(frr_at(g.scores, threshold_at_far(i.scores, far)), far),
            )
        )
    for frr in FRRS:
        far = float(1 - np.searchsorted(impostor, np.quantile(genuine, frr)) / TRUTH)
        found.append(
            Row(
                f"FAR at FRR {100 * frr:g} %",
                far,
                min(far * trials[1], frr * trials[0]),
                lambda g, i, b, frr=frr: b.far_at_frr(far_at(i.scores, threshold_at_frr(g.scores, frr)), frr),
            )
        )
    eer = equal_error(genuine[::40], impostor[::40]).rate
    area = auc(genuine[::40], impostor[::40])
    least = eer * min(trials)
    found.append(Row("EER", eer, least, lambda g, i, b: b.equal_error(equal_error(g.scores, i.scores).rate)))
    found.append(Row("AUC", area, least, lambda g, i, b: b.auc(auc(g.scores, i.scores))))
    if not setting.independent and not setting.groups:
        found.append(
            Row("mean EER by person", np.nan, least, lambda g, i, b: b.mean_over_people(equal_error_by_person(g, i)))
        )
    return found


def _at_threshold(rate: str, t: float, truth: float, errors: float) -> Row:
    """FAR or FRR at a threshold fixed beforehand, with Clopper–Pearson's ends beside."""

    def value(genuine: Trials, impostor: Trials) -> float:
        return far_at(impostor.scores, t) if rate == "FAR" else frr_at(genuine.scores, t)

    def plain(genuine: Trials, impostor: Trials) -> Rate:
        comparisons = (impostor if rate == "FAR" else genuine).comparisons
        return clopper_pearson(round(value(genuine, impostor) * comparisons), comparisons)

    return Row(
        f"{rate} at a threshold",
        truth,
        errors,
        lambda g, i, b: (b.far if rate == "FAR" else b.frr)(value(g, i), t),
        plain,
    )


def by_group(genuine: Trials, impostor: Trials, setting: Setting, seed: int) -> Replicates:
    """The bootstrap of a streaming run: nothing but counts by group of people on a grid."""
    assert impostor.source is not None
    grid = threshold_grid(genuine.scores, impostor.scores)
    counts = [
        PersonCounts(trials.scores, person % setting.groups, setting.groups)
        for trials, person in ((genuine, genuine.claim), (impostor, impostor.claim), (impostor, impostor.source))
    ]
    every = np.eye(setting.groups)
    own, against, acting = (one.at_or_above(every, grid) for one in counts)
    return GroupBootstrap.from_counts(
        grid,
        counts[0].trials[:, None] - own,
        against,
        counts[0].trials,
        counts[1].trials,
        acting_at_or_above=acting,
        acting_trials=counts[2].trials,
        comparisons=(genuine.comparisons, impostor.comparisons),
        replicates=REPLICATES,
        seed=seed,
    )


def measure(setting: Setting, runs: int) -> list[tuple[Row, dict[str, FloatArray]]]:
    """Every row with, by method, what was stated: (runs, 3) of value, low, high."""
    first = corpus(np.random.default_rng(0), setting)
    table = rows(setting, *population(setting), (first[0].comparisons, first[1].comparisons))
    stated: list[dict[str, list[Rate]]] = [{} for _ in table]
    for run in range(runs):
        genuine, impostor = corpus(np.random.default_rng([1, run]), setting)
        if setting.groups:
            ours = by_group(genuine, impostor, setting, run)
        else:
            ours = bootstrap(genuine, impostor, replicates=REPLICATES, seed=run)
        methods = {"ours": ours}
        if impostor.source is not None:
            fixed = Trials(impostor.scores, impostor.claim, impostor.draw, impostor.probe)
            methods["claimed"] = bootstrap(genuine, fixed, replicates=REPLICATES, seed=run)
        for row, found in zip(table, stated, strict=True):
            for method, made in methods.items():
                found.setdefault(method, []).append(row.state(genuine, impostor, made))
            if row.plain is not None:
                found.setdefault("plain", []).append(row.plain(genuine, impostor))
    return [
        (row, {method: np.array([(r.value, r.low, r.high) for r in rates]) for method, rates in found.items()})
        for row, found in zip(table, stated, strict=True)
    ]


def report(setting: Setting, runs: int) -> tuple[int, int, int]:
    """Print one setting's table; rows that rest on ten errors or more, and how many are inside by either method."""
    started = time.perf_counter()
    counted = inside = before = 0
    found = measure(setting, runs)
    print(f"\n{setting.name} ({runs} corpora, {time.perf_counter() - started:.0f} s)")
    print(f"  {'rate':22}{'truth':>9}{'errors':>9}{'ours':>9}   {'claimed only':>12}{'independent':>13}{'width':>8}")
    for row, stated in found:
        truth = stated["ours"][:, 0].mean() if np.isnan(row.truth) else row.truth
        held = {name: ((ends[:, 1] <= truth) & (truth <= ends[:, 2])).mean() for name, ends in stated.items()}
        mark = "<" if held["ours"] < LOW else ">" if held["ours"] > HIGH else " "
        others = "".join(
            f"{100 * held[name]:{width}.1f}" if name in held else " " * (width - 1) + "-"
            for name, width in (("claimed", 12), ("plain", 13))
        )
        width = (stated["ours"][:, 2] - stated["ours"][:, 1]).mean()
        few = row.errors < FEW
        print(
            f"  {row.name:22}{100 * truth:8.2f}%{row.errors:9.1f}{100 * held['ours']:9.1f} {mark} {others}"
            f"{100 * width:7.1f}%{'  few' if few else ''}{'  skewed' if setting.skewed else ''}"
        )
        if not few and not setting.skewed:
            counted += 1
            inside += mark == " "
            before += LOW <= held.get("claimed", held["ours"]) <= HIGH
    return counted, inside, before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the corpora")
    parser.add_argument("--only", help="settings whose name holds this")
    options = parser.parse_args()
    print(f"Coverage of 95 % intervals in percent; standard error of a cell: {2.2 if options.quick else 0.7}")
    totals = np.zeros(3, np.int64)
    for setting in SETTINGS:
        if options.only is None or options.only in setting.name:
            totals += report(setting, setting.runs // 10 if options.quick else setting.runs)
    print(f"\nrows that rest on ten errors or more, people not skewed: {totals[0]}")
    print(f"  within 93 to 97 %: ours {totals[1]}, claimed people only {totals[2]}")


if __name__ == "__main__":
    main()
