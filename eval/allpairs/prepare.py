"""Embeddings and their people → all that the tasks of a run need: templates, factors, and the grid to count on.

The grid's upper end is a bound that no score passes: log p(x | person) is highest at the mean and log p(x | everyone
else) lowest at some sample, and both are known. Its lower end is below the lowest score of a pilot, 2,048 samples
against 512 templates evenly spaced over the run; where single scores lie absurdly far down (a person of two equal
references), it stays within eight times the distance from the upper end to the pilot's median. Scores below are counted
as such: every rate at a threshold on the grid stays exact. The pilot also tells from where on impostor scores are worth
being kept one by one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from enroll.identity import IdentityModel
from eval.allpairs.factored import Factored, factor, require_factorable
from eval.allpairs.grid import DEFAULT_BINS, Grid
from eval.allpairs.task import Work
from eval.allpairs.templates import Templates, design

DEFAULT_TAIL = 100_000

_PILOT_SAMPLES, _PILOT_TEMPLATES = 2048, 512
_EDGES, _ABOVE = 512, 256
_OWN = 16
_LEAST_SEEN = 50
"""Pilot scores that a quantile needs above it to be trusted."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Prepared:
    """A run ready to be worked on, and how it was designed."""

    work: Work
    templates: Templates
    rounding: float


def prepare(
    model: IdentityModel,
    embeddings: Floats,
    owner: NDArray[np.int32],
    names: tuple[str, ...],
    usable: NDArray[np.bool_] | None = None,
    *,
    references: int = 1,
    draws: int = 1,
    seed: int = 0,
    tail: int = DEFAULT_TAIL,
    bins: int = DEFAULT_BINS,
) -> Prepared:
    """Design and factor a run.

    Parameters
    ----------
    embeddings : float32 (N, d), in the order of the samples' ids.
    owner : int32 (N,), index into `names` of whoever each sample is of.
    usable : bool (N,), false where a sample could not be acquired; None: all could.
    references, draws, seed : as of `eval.allpairs.templates`.
    tail : most impostor, and most genuine, scores to keep one by one.
    bins : of the grid.

    Raises
    ------
    FieldInvalid for a bundle that matches frames or another embedding size, TooFewReferences, TrialsError for
    embeddings that are not finite or people that are too few.
    """
    require_factorable(model, references)
    ready = np.ones(len(embeddings), np.bool_) if usable is None else usable
    _check(model, embeddings, owner, ready)
    templates = design(owner, names, ready, references=references, draws=draws, seed=seed)
    rows = np.ascontiguousarray(embeddings[templates.order], dtype=np.float32)
    factored = factor(model, rows, templates.references)
    pilot, impostor = _pilot(model, rows, factored, templates)
    genuine = _genuine_pilot(factored, templates)
    grid = _grid(np.concatenate([pilot.ravel(), genuine]), factored.highest, bins)
    work = Work(
        features=factored.features,
        weights=_placed(factored.weights, grid),
        grid=grid,
        edges=_edges(grid.positions(pilot[impostor]), grid.positions(genuine), bins),
        sample_offsets=templates.sample_offsets,
        owner=templates.owner,
        references=templates.references,
        excluded=templates.excluded,
        group_offsets=templates.group_offsets,
        acting_offsets=templates.acting_offsets,
        failed=templates.failed,
        dense=factored.dense,
        model=model if factored.dense.any() else None,
        embeddings=rows if factored.dense.any() else None,
        cut=_cut(grid.positions(pilot[impostor]), len(rows) * len(templates.owner), tail),
        tail=tail,
    )
    return Prepared(work, templates, factored.rounding)


def _check(model: IdentityModel, embeddings: Floats, owner: NDArray[np.int32], usable: NDArray[np.bool_]) -> None:
    if embeddings.ndim != 2 or embeddings.shape[1] != model.vector:
        raise TrialsError(
            f"the bundle scores embeddings of {model.vector} values, these are of shape {embeddings.shape}",
            field="embeddings",
            fix="give the embeddings that this bundle made",
        )
    if len(owner) != len(embeddings) or len(usable) != len(embeddings):
        raise TrialsError(
            f"{len(embeddings)} embeddings, {len(owner)} people and {len(usable)} marks of failure do not go together",
            field="embeddings",
        )
    finite = np.isfinite(embeddings).all(axis=1) | ~usable
    if not finite.all():
        raise TrialsError(
            f"embeddings of {int((~finite).sum())} samples hold NaN or infinity, the first in row "
            f"{int(np.argmin(finite))}",
            field="embeddings",
            fix="mark samples that could not be acquired as failed",
        )


def _pilot(
    model: IdentityModel, rows: Floats, factored: Factored, templates: Templates
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores of evenly spaced samples and templates, float64 (S, M), and which of them are of impostors."""
    samples = np.unique(np.linspace(0, len(rows) - 1, _PILOT_SAMPLES).astype(np.int64))
    chosen = np.unique(np.linspace(0, len(templates.owner) - 1, _PILOT_TEMPLATES).astype(np.int64))
    features = factored.features[samples]
    linear, *squares = (features @ weights[chosen].T for weights in factored.weights)
    scores = linear.astype(np.float64)
    for term in squares:
        scores += term.astype(np.float64) ** 2
    for column in np.flatnonzero(factored.dense[chosen]):
        person = model.fit(rows[templates.references[int(chosen[column])]])
        scores[:, column] = model.llr(person, rows[samples])
    maker = np.searchsorted(templates.sample_offsets, samples, side="right") - 1
    impostor = maker[:, None] != templates.owner[chosen][None, :]
    if not impostor.any():
        raise TrialsError("there are no impostor trials", fix="give the samples of more people")
    return scores, impostor


def _grid(pilot: NDArray[np.float64], highest: float, bins: int) -> Grid:
    lowest, middle = float(pilot.min()), float(np.median(pilot))
    low = max(lowest - 0.25 * (highest - lowest), highest - 8.0 * (highest - middle))
    least = float(np.finfo(np.float32).eps) * max(abs(highest), 1.0)  # all scores are one
    # One bin to spare at the top: rounding must not push a score off the grid.
    return Grid(low, max((highest - low) / (bins - 1), least), bins)


def _placed(weights: Floats, grid: Grid) -> Floats:
    """Weights that give positions on the grid where they gave scores; done in place."""
    weights[0] /= np.float32(grid.width)
    weights[0, :, -1] += np.float32(1.0 - grid.low / grid.width)
    weights[1:] /= np.float32(np.sqrt(grid.width))
    return weights


def _cut(impostor: NDArray[np.float64], comparisons: int, tail: int) -> float:
    """Position above which about twice `tail` impostor scores are expected; −inf where there are not that many."""
    wanted = 2 * tail / comparisons
    if wanted >= 1.0:
        return -np.inf
    above = min(max(round(wanted * len(impostor)), _LEAST_SEEN), len(impostor) - 1)
    return float(np.float32(np.partition(impostor, len(impostor) - above - 1)[len(impostor) - above - 1]))


def _edges(impostor: NDArray[np.float64], genuine: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Bins at which intervals are to know the rates, int64 ascending from 0: dense where scores of the pilot end.

    Impostor scores by rank from the top and genuine ones from the bottom, ever more apart; evenly above the pilot's
    highest impostor score, where only a longer run than the pilot has any.
    """
    chosen = [np.zeros(1), np.linspace(impostor.max(), bins + 1, _ABOVE)]
    for side in (np.sort(impostor)[::-1], np.sort(genuine)):
        ranks = np.unique(np.geomspace(1, max(len(side), 1), _EDGES).astype(np.int64)) - 1
        chosen.append(side[ranks[: len(side)]])
    return np.unique(np.clip(np.concatenate(chosen), 0, bins).astype(np.int64))


def _genuine_pilot(factored: Factored, templates: Templates) -> NDArray[np.float64]:
    """Genuine scores of evenly spaced templates, float64 (n,); those of dense ones are left out."""
    chosen = np.unique(np.linspace(0, len(templates.owner) - 1, 4 * _PILOT_TEMPLATES).astype(np.int64))
    pairs = []
    for template in chosen[~factored.dense[chosen]].tolist():
        first, last = templates.sample_offsets[templates.owner[template] :][:2]
        own = np.setdiff1d(np.arange(first, min(last, first + _OWN)), templates.excluded[template])
        terms = factored.features[own] @ factored.weights[:, template].T
        pairs.append(terms[:, 0] + (terms[:, 1:] ** 2).sum(axis=1))
    return np.concatenate([np.empty(0), *pairs]).astype(np.float64)
