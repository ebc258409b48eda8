"""The figure that early stopping watches, against a naive count; and training's scaling against serving's."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from encode.errors import TrainingError
from encode.preprocessing import Scale
from eval.measures.metrics import equal_error
from train.development import PairRates, development_rates, embed_batches, embed_samples, pair_rates
from train.pixels import PixelSet, scale_pixels

Array = NDArray[np.float32]


def embeddings(
    people: int = 8, samples: int = 4, spread: float = 0.6, seed: int = 0
) -> tuple[Array, NDArray[np.int64]]:
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), samples)
    drawn = draw.normal(size=(people, 5))[labels] + spread * draw.normal(size=(people * samples, 5))
    return drawn.astype(np.float32), labels


def naive_rates(x: Array, labels: NDArray[np.int64]) -> tuple[float, float]:
    """Count errors at every threshold there is."""
    genuine, impostor = [], []
    for i in range(len(x)):
        for j in range(i):
            score = -float(((x[i].astype(np.float64) - x[j]) ** 2).sum())
            (genuine if labels[i] == labels[j] else impostor).append(score)

    def far(threshold: float) -> float:
        return sum(score >= threshold for score in impostor) / len(impostor)

    def frr(threshold: float) -> float:
        return sum(score < threshold for score in genuine) / len(genuine)

    thresholds = sorted([*genuine, *impostor])
    last = [t for t in thresholds if frr(t) <= far(t)][-1]
    first = next((t for t in thresholds if frr(t) >= far(t)), last)
    chosen = min(last, first, key=lambda t: far(t) + frr(t))
    strict = next((t for t in sorted(impostor) if far(t) <= 0.01), np.nextafter(max(impostor), np.inf))
    return (far(chosen) + frr(chosen)) / 2, frr(strict)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spread", [0.1, 0.6, 1.5])
def test_rates_are_those_of_counting(spread: float, seed: int) -> None:
    x, labels = embeddings(spread=spread, seed=seed)
    found = pair_rates(x, labels)
    eer, frr = naive_rates(x, labels)
    assert found.eer == pytest.approx(eer)
    assert found.frr_at_1 == pytest.approx(frr)


def test_people_far_apart_have_no_errors() -> None:
    x, labels = embeddings(spread=0.01)
    found = pair_rates(x, labels)
    assert found.eer < 0.005
    assert found.frr_at_1 == 0.0


def test_a_collapsed_network_is_as_bad_as_guessing() -> None:
    """All embeddings equal, all scores equal: counted by rank, the last impostor would look like an EER of nothing."""
    labels = np.repeat(np.arange(6), 3)
    assert pair_rates(np.ones((18, 5), np.float32), labels).eer == pytest.approx(0.5)


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0]], ids=["no genuine pair", "no impostor pair"])
def test_people_without_both_kinds_of_pair_are_refused(labels: list[int]) -> None:
    with pytest.raises(TrainingError, match="no genuine or no impostor pair"):
        pair_rates(np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32), np.array(labels))


SCALES = {
    "plain": Scale(),
    "mean and deviation": Scale(mean=(0.5,), std=(0.25,)),
    "by channel": Scale(mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0)),
    "per image": Scale(per_image=True),
}


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("uniform", [False, True])
def test_training_scales_as_serving_does(name: str, uniform: bool) -> None:
    channels = 3 if name == "by channel" else 1
    x = torch.rand(6, channels, 9, 7, generator=torch.Generator().manual_seed(0))
    if uniform:
        x = torch.full_like(x, 0.4)
    found = scale_pixels(x, SCALES[name])
    assert found.dtype == torch.float32
    for image, scaled in zip(x.numpy(), found.numpy(), strict=True):
        np.testing.assert_allclose(scaled, SCALES[name].array(image), atol=1e-5)


class Mean(nn.Module):
    """One number an image, and a note of how it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.was_training = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(x))
        self.was_training |= self.training
        return x.flatten(1).mean(1, keepdim=True)


def test_samples_are_embedded_in_pieces_in_evaluation_mode() -> None:
    pixels = torch.randint(0, 256, (600, 1, 5, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(600, dtype=torch.int64)
    faces = PixelSet(pixels, labels, ("anna",), ("x",), margin=(1, 1), unusable=0, scale=Scale())
    network = Mean().train()
    found = embed_samples(network, faces)
    assert network.batches == [256, 256, 88]
    assert not network.was_training
    assert (found.shape, found.dtype) == ((600, 1), np.float32)
    np.testing.assert_allclose(found[:, 0], pixels[:, 0, 1:4, 1:3].float().mean((1, 2)).numpy() / 255, rtol=1e-5)


def test_the_margin_is_left_out(background: PixelSet) -> None:
    whole = scale_pixels(background.centre().float() / 255.0, background.scale)
    expected = pair_rates(embed_batches(Mean(), [whole]), background.labels.numpy())
    found = development_rates(Mean(), background, bf16=False)
    assert found == expected
    assert isinstance(found, PairRates)


def test_where_there_are_forgeries_they_are_the_impostors() -> None:
    x, labels = embeddings(people=6, samples=6)
    forged = np.tile([False, False, False, True, True, False], 6)
    genuine, skilled = [], []
    for i in range(len(x)):
        for j in range(i):
            score = -float(((x[i].astype(np.float64) - x[j]) ** 2).sum())
            if labels[i] == labels[j] and not (forged[i] and forged[j]):
                (skilled if forged[i] or forged[j] else genuine).append(score)
    assert (len(genuine), len(skilled)) == (6 * 6, 6 * 8)
    found = pair_rates(x, labels, forged)
    assert found.eer == pytest.approx(equal_error(np.array(genuine), np.array(skilled)).rate)
    assert pair_rates(x, labels, np.zeros(36, np.bool_)) == pair_rates(x, labels)
