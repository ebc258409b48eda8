"""1:N identification over everybody enrolled (ISO/IEC 19795-1), from the complete searches of a run.

Closed set, where the person is known to be enrolled: the cumulative match characteristic, over mated searches

    CMC(k) = share with rank <= k

Open set, where a search may be of somebody unknown: at a threshold t,

    FPIR(t) = share of non-mated searches with best >= t
    FNIR(t) = share of mated searches with rank > 1 or mate < t

A search is then a trial of the person who made its probe: non-mated ones are impostor trials scored by the best of
others, mated ones genuine trials scored by the mate if it ranks first and never accepted otherwise. Rates, thresholds
(FPIR at most the one asked for) and intervals by person are those of `eval.measures.metrics` and
`eval.resampling.bootstrap`, with the owners of the probes as the people that are resampled; the gallery is held fixed.
`eval.measures.searches` says which searches count. The non-mated gallery lacks the probe's own person, so it is smaller
by one than the mated one.
"""

from collections.abc import Iterator

import numpy as np

from eval.measures.metrics import threshold_at_far
from eval.measures.rates import counted_far, counted_frr, supports
from eval.measures.searches import Searches, complete_searches
from eval.resampling.bootstrap import DEFAULT_REPLICATES, PersonBootstrap
from eval.results.search_results import Identification, OpenSetPoint, RankRate
from eval.trials import ScoreTable, Trials
from verify.policy import Rate

FEWEST_SEARCHES = 10
"""With fewer mated searches nothing is stated."""

REPORTED_FPIRS = (0.1, 0.05, 0.01, 0.001)
"""The false-positive identification rates of `Identification.open_set`."""


def identify(table: ScoreTable, *, replicates: int = DEFAULT_REPLICATES, seed: int = 0) -> Identification | None:
    """The identification rates that the trials of `table` show.

    None where they show none: fewer than `FEWEST_SEARCHES` complete mated searches, or all by the probes of one
    person, or none of a probe that could be acquired.

    Parameters
    ----------
    replicates, seed : of the bootstrap by person.

    Raises
    ------
    TrialsError as `eval.measures.searches.complete_searches` does.
    """
    searches = complete_searches(table)
    if searches is None or np.count_nonzero(searches.mated) < FEWEST_SEARCHES:
        return None
    ranked = searches.mated_trials(-searches.rank)
    if len(ranked.claimed) < 2 or ranked.failures == len(ranked):
        return None
    return Identification(
        gallery=searches.gallery,
        smallest_gallery=searches.smallest_gallery if searches.smallest_gallery < searches.gallery else None,
        searches=len(ranked),
        probes=ranked.probes,
        cmc=_cmc(ranked, searches.gallery, PersonBootstrap(ranked, ranked, replicates=replicates, seed=seed)),
        open_set=_open_set(searches, replicates, seed),
    )


def reported_ranks(gallery: int) -> Iterator[int]:
    """1, 2, 3, 5, 10, 20, 50, 100, … up to the size of the gallery."""
    decade = 1
    while True:
        for step in (1, 2, 3, 5) if decade == 1 else (1, 2, 5):
            if step * decade > gallery:
                return
            yield step * decade
        decade *= 10


def _cmc(ranked: Trials, gallery: int, bootstrap: PersonBootstrap) -> tuple[RankRate, ...]:
    """`ranked` are the mated searches scored by minus their rank, so that rank <= k is a score of at least -k."""
    points = []
    for rank in reported_ranks(gallery):
        missed = counted_frr(ranked, -float(rank), bootstrap.frr)
        found = Rate(value=1 - missed.value, low=1 - missed.high, high=1 - missed.low)
        points.append(RankRate(rank=rank, rate=found))
    return tuple(points)


def _open_set(searches: Searches, replicates: int, seed: int) -> tuple[OpenSetPoint, ...]:
    """A point for every reported FPIR of which the distinct non-mated searches would show one false positive."""
    mated = searches.mated_trials(np.where(searches.rank == 1, searches.mate, -np.inf))
    non_mated = searches.non_mated_trials()
    fpirs = [fpir for fpir in REPORTED_FPIRS if fpir * non_mated.comparisons >= 1]
    if not fpirs or any(trials.failures == len(trials) for trials in (mated, non_mated)):
        return ()
    bootstrap = PersonBootstrap(mated, non_mated, replicates=replicates, seed=seed)
    points = []
    for fpir in fpirs:
        threshold = threshold_at_far(non_mated.scores, fpir)

        def refound(value: float, _: float, fpir: float = fpir) -> Rate:
            return bootstrap.frr_at_far(value, fpir)  # every replicate finds its own threshold

        points.append(
            OpenSetPoint(
                fpir=fpir,
                threshold=threshold,
                achieved_fpir=counted_far(non_mated, threshold, bootstrap.far),
                fnir=counted_frr(mated, threshold, refound),
                beyond_evidence=not supports(non_mated, fpir),
            )
        )
    return tuple(points)
