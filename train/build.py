"""What a recipe names, built: its network, the size of its embeddings, and its sampler."""

from typing import Any

import torch
from torch import nn

from encode.errors import TrainingError
from train.networks.bromley1993 import INPUT_SHAPE, Bromley1993Encoder
from train.networks.chopra2005 import Chopra2005Encoder
from train.networks.pen_residual import PenResidualConfig, PenResidualEncoder
from train.networks.residual import ResidualConfig, ResidualEncoder
from train.recipe import Recipe
from train.sample_set import SampleSet
from train.samplers import ForgeryPairSampler, PairSampler, PeopleSampler


def build_network(recipe: Recipe) -> nn.Module:
    """The network a recipe names, with weights drawn from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in recipe.network_options.items()
    }
    shape = recipe.steps().shape
    try:
        if recipe.network == "bromley1993":
            if shape != INPUT_SHAPE:
                raise TrainingError(f"the 1993 network reads {INPUT_SHAPE}, not {shape}", field="preprocessing")
            return Bromley1993Encoder(**options)
        if recipe.network == "pen_residual":
            return PenResidualEncoder(PenResidualConfig(**options))
        if recipe.network == "chopra2005":
            return Chopra2005Encoder(**options)
        height, width = shape[-2:]
        return ResidualEncoder(ResidualConfig(**({"height": height, "width": width} | options)))
    except (TypeError, ValueError) as error:
        raise TrainingError(str(error).replace("__init__() ", ""), field="network_options") from error


def build_sampler(recipe: Recipe, training: SampleSet) -> PeopleSampler | PairSampler | ForgeryPairSampler:
    """The sampler a recipe asks for."""
    batch = recipe.batch
    if batch.pairs and batch.forged:
        return ForgeryPairSampler(
            training.labels,
            training.forged,
            pairs=batch.pairs,
            seed=recipe.seed,
            forged_share=batch.forged,
            other_share=batch.others,
        )
    if batch.pairs:
        return PairSampler(training.labels, pairs=batch.pairs, seed=recipe.seed, forged=training.forged)
    return PeopleSampler(
        training.labels,
        people=batch.people,
        samples=batch.samples,
        singles=batch.singles,
        seed=recipe.seed,
        groups=training.corpus_of,
        shares=batch.shares,
        forged=training.forged,
        forgeries=batch.forgeries,
        known=len(training.people),
    )


def embedding_size(network: nn.Module, shape: tuple[int, ...]) -> int:
    """How many values the network puts out for an input of `shape`, (C, H, W) or (C, T)."""
    with torch.no_grad():
        return int(network(torch.zeros(2, *shape)).shape[1])
