"""Synthetic people in a few dimensions, and identity models of every kind around them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.manifest import CalibrationSpec, IdentitySpec
from enroll.identity import IdentityModel
from eval.allpairs.prepare import Prepared, prepare
from eval.allpairs.sketch import ScoreSketch, merged
from eval.allpairs.task import run_task


@dataclass(frozen=True)
class People:
    """Embeddings (N, d) float32, whose each is, everybody's name, and the covariance within a person."""

    embeddings: NDArray[np.float32]
    owner: NDArray[np.int32]
    names: tuple[str, ...]
    within: NDArray[np.float64]

    def model(self, kind: str, **spec: Any) -> IdentityModel:
        """An identity model whose background is about where these people are."""
        d = self.embeddings.shape[1]
        background = {"mean": np.full(d, 3.0), "total": self.within + 2.0 * np.eye(d), "within": self.within}
        fields = {"kind": kind, "calibration": CalibrationSpec(scale=0.7, offset=1.3), **spec}
        return IdentityModel(IdentitySpec.model_validate(fields), background)

    def prepared(self, model: IdentityModel, **options: Any) -> Prepared:
        """A run over all of them."""
        return prepare(model, self.embeddings, self.owner, self.names, **options)


@pytest.fixture(scope="session")
def make_people() -> Callable[..., People]:
    """``make_people(people=12, samples=6, d=8, seed=0)``, samples of different people mixed."""

    def make(people: int = 12, samples: int = 6, d: int = 8, seed: int = 0) -> People:
        generator = np.random.default_rng(seed)
        basis = 0.3 * generator.normal(size=(d, d))
        within = basis @ basis.T + 0.05 * np.eye(d)
        owner = generator.permutation(np.arange(people * samples) // samples).astype(np.int32)
        centres = 1.2 * generator.normal(size=(people, d)) + 3.0
        noise = generator.normal(size=(len(owner), d)) @ np.linalg.cholesky(within).T
        names = tuple(f"p{index:03}" for index in range(people))
        return People((centres[owner] + noise).astype(np.float32), owner, names, within)

    return make


@pytest.fixture(scope="session")
def counted() -> Callable[[Prepared], ScoreSketch]:
    """All tasks of a run, one after the other, merged."""
    return lambda run: merged(run_task(run.work, group) for group in range(run.work.groups))


@dataclass(frozen=True)
class Naive:
    """Every score one by one: genuine and impostor, float64, ascending."""

    genuine: NDArray[np.float64]
    impostor: NDArray[np.float64]


@pytest.fixture(scope="session")
def naive() -> Callable[..., Naive]:
    """``naive(run, model, people)``: a double loop over templates and samples with the identity model itself."""

    def score(run: Prepared, model: IdentityModel, people: People) -> Naive:
        genuine, impostor = [], []
        for template in range(len(run.work.owner)):
            references = run.templates.order[run.work.references[template]]
            excluded = set(run.templates.order[run.work.excluded[template]].tolist())
            claimed = people.owner[references[0]]
            person = model.fit(people.embeddings[references])
            for sample in run.templates.order.tolist():
                if sample in excluded:
                    continue
                llr = float(model.llr(person, people.embeddings[sample])[0])
                (genuine if people.owner[sample] == claimed else impostor).append(llr)
        return Naive(np.sort(genuine), np.sort(impostor))

    return score
