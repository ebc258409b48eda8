"""A loss term of a recipe → the loss, its distance, miner, reducer and memory put in."""

from typing import Any

from torch import nn

from encode.errors import TrainingError
from train.loss_term import LossTerm
from train.losses.arcface import ArcFace
from train.losses.bromley1993 import CosineTargets
from train.losses.chopra2005 import ExponentialContrastive
from train.losses.contrast import Contrast, SimilarityContrast
from train.losses.cosface import CosFace
from train.losses.debiased import Debiased
from train.losses.decoupled import Decoupled
from train.losses.distance import (
    CosineDistance,
    Distance,
    EuclideanDistance,
    L1Distance,
    SquaredEuclideanDistance,
)
from train.losses.hadsell2006 import MarginContrastive
from train.losses.infonce import InfoNCE
from train.losses.memory import MemoryQueue
from train.losses.multi_similarity import MultiSimilarity
from train.losses.nce import BinaryNCE
from train.losses.npair import NPair
from train.losses.ntxent import NTXent
from train.losses.reducer import REDUCERS
from train.losses.supcon import SupCon
from train.losses.triplet import Triplet
from train.miners.all_triplets import AllTriplets
from train.miners.distance_weighted import DistanceWeighted
from train.miners.easy import EasyNegatives
from train.miners.hard import HardNegatives
from train.miners.hardest import HardestPairs
from train.miners.semihard import SemiHardNegatives
from train.miners.triplets import Miner

_ANYWHERE = ("bromley1993", "chopra2005", "hadsell2006", "triplet", "npair")
"""Kinds whose formulas hold for embeddings of any norm."""
_SOFTMAX: dict[str, type[SimilarityContrast]] = {
    "nce": BinaryNCE,
    "infonce": InfoNCE,
    "ntxent": NTXent,
    "decoupled": Decoupled,
}


def build_loss(term: LossTerm, *, size: int, unit_norm: bool, people: int) -> nn.Module:
    """The loss of `term` for embeddings of `size` values; `people` are the classes. Raises TrainingError."""
    if not unit_norm and (term.kind not in _ANYWHERE or term.miner == "distance_weighted"):
        asking = term.kind if term.kind not in _ANYWHERE else term.miner
        raise TrainingError(f"{asking} needs unit-norm embeddings; this network has none", field="losses.kind")
    keys = term.settled()
    if term.kind in ("cosface", "arcface"):
        margined = CosFace if term.kind == "cosface" else ArcFace
        return margined(people, size, keys["scale"], keys["margin"], keys["ramp"])
    if term.kind == "npair":
        return NPair(keys["temperature"], keys["l2"], REDUCERS[keys["reducer"]])
    loss = _contrast(term.kind, keys, size, unit_norm)
    if not keys["queue"]:
        return loss
    return MemoryQueue(
        loss,
        length=keys["queue"],
        size=size,
        people=people,
        of_keys=keys["keys"] == "average",
        after=keys["queue_after"],
    )


def _contrast(kind: str, keys: dict[str, Any], size: int, unit_norm: bool) -> Contrast:
    reducer = REDUCERS[keys["reducer"]]
    if kind in _SOFTMAX:
        return _SOFTMAX[kind](keys["temperature"], reducer)
    if kind == "supcon":
        return SupCon(keys["temperature"], reducer, form=keys["form"])
    if kind == "debiased":
        return Debiased(keys["temperature"], reducer, prior=keys["prior"])
    if kind == "multi_similarity":
        epsilon = keys["epsilon"] if keys["mined"] else None
        return MultiSimilarity(keys["alpha"], keys["beta"], keys["base"], epsilon, reducer)
    distance = _distance(keys.get("distance", "cosine"), unit_norm)
    miner = None if keys["miner"] is None else _miner(keys, size, distance)
    if kind == "triplet":
        return Triplet(distance, miner or AllTriplets(), keys["margin"], reducer)
    if kind == "bromley1993":
        return CosineTargets(keys["target"], miner=miner, reducer=reducer)
    if kind == "chopra2005":
        return ExponentialContrastive(distance, size, miner=miner, reducer=reducer)
    return MarginContrastive(
        distance, keys["margin"], hard=keys["hard"], form=keys["form"], miner=miner, reducer=reducer
    )


def _distance(name: str, unit_norm: bool) -> Distance:
    if name == "l1":
        return L1Distance()
    if name == "cosine":
        return CosineDistance()
    return (EuclideanDistance if name == "euclidean" else SquaredEuclideanDistance)(unit_norm=unit_norm)


def _miner(keys: dict[str, Any], size: int, distance: Distance) -> Miner:
    band = keys["margin"] if keys["band"] is None else keys["band"]
    miners: dict[str, Miner] = {
        "all": AllTriplets(),
        "hard": HardNegatives(),
        "semihard": SemiHardNegatives(band),
        "easy": EasyNegatives(band),
        "hardest": HardestPairs(),
        "distance_weighted": DistanceWeighted(size, distance.euclidean),
    }
    return miners[keys["miner"]]
