"""The objective adds weighted terms, and refuses terms that the network or the sampler cannot give."""

from typing import Any

import pytest
import torch

from encode.errors import TrainingError
from train.loss_term import LossTerm
from train.losses.bromley1993 import CosineTargets
from train.losses.chopra2005 import ExponentialContrastive
from train.losses.cosface import CosFace
from train.losses.distance import EuclideanDistance, L1Distance
from train.losses.hadsell2006 import MarginContrastive
from train.losses.pairs import loss_of_pairs
from train.losses.supcon import SupCon
from train.objective import Objective

LABELS = torch.tensor([0, 0, 1, 1, 2, 2])


def sphere() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.nn.functional.normalize(torch.randn(6, 4, generator=generator), dim=1)


def test_terms_are_added_by_weight() -> None:
    terms = (
        LossTerm("hadsell2006", weight=0.5, margin=1.2, hard=True),
        LossTerm("supcon", weight=2.0, temperature=0.2),
    )
    total, values = Objective(terms, size=4, unit_norm=True, people=3)(sphere(), LABELS)
    pair = float(MarginContrastive(EuclideanDistance(unit_norm=True), 1.2, hard=True)(sphere(), LABELS))
    contrast = float(SupCon(0.2)(sphere(), LABELS))
    assert values == pytest.approx({"hadsell2006": pair, "supcon": contrast})
    assert float(total) == pytest.approx(0.5 * pair + 2.0 * contrast)


@pytest.mark.parametrize(
    ("distance", "unit_norm", "q"), [("l1", False, 8.0), ("euclidean", False, 4.0), ("euclidean", True, 2.0)]
)
def test_q_follows_from_the_distance_and_the_outputs(distance: Any, unit_norm: bool, q: float) -> None:
    objective = Objective((LossTerm("chopra2005", distance=distance),), size=4, unit_norm=unit_norm, people=3)
    (term,) = objective.terms
    assert isinstance(term, ExponentialContrastive)
    assert term.q == q


def test_a_term_that_classifies_knows_the_people_and_learns_too() -> None:
    objective = Objective((LossTerm("cosface", margin=0.4, scale=16.0, ramp=0.5),), size=4, unit_norm=True, people=3)
    (term,) = objective.terms
    assert isinstance(term, CosFace)
    assert term.weight.shape == (3, 4)
    assert [parameter.shape for parameter in objective.parameters()] == [(3, 4)]
    objective.progress(0.25)
    assert term.margin == pytest.approx(0.2)


@pytest.mark.parametrize("kind", ["supcon", "cosface"])
def test_terms_for_the_sphere_refuse_other_outputs(kind: Any) -> None:
    with pytest.raises(TrainingError, match=f"{kind} needs unit-norm"):
        Objective((LossTerm(kind),), size=4, unit_norm=False, people=3)


def test_drawn_pairs_take_pair_losses_only() -> None:
    x, impostor = sphere(), torch.tensor([False, True, False])
    terms = (LossTerm("chopra2005", weight=3.0, distance="l1"), LossTerm("bromley1993", target=-0.9))
    total, values = Objective(terms, size=4, unit_norm=True, people=3).of_pairs(x, impostor)
    energies = float(loss_of_pairs(ExponentialContrastive(L1Distance(), 4), x[:3], x[3:], impostor))
    cosines = float(loss_of_pairs(CosineTargets(-0.9), x[:3], x[3:], impostor))
    assert values == pytest.approx({"chopra2005": energies, "bromley1993": cosines})
    assert float(total) == pytest.approx(3.0 * energies + cosines)
    with pytest.raises(TrainingError, match="supcon is not a loss of single pairs"):
        Objective((LossTerm("supcon"),), size=4, unit_norm=True, people=3).of_pairs(x, impostor)
