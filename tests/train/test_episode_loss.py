"""The loss of an episode against naive loops over writers, probes and references."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.episodes import EpisodeConfig
from train.losses.episode import DISTORTED, FORGED, GENUINE, RANDOM, EpisodeObjective, EpisodeWeights
from train.losses.supcon import SupCon
from train.losses.warping import EPSILON

Array = NDArray[np.float64]

CONFIG = EpisodeConfig(writers=3, references=3, genuine=2, forgeries=2, distorted=1, random=2)

DEFAULT = EpisodeWeights()


def batch(seed: int = 0, config: EpisodeConfig = CONFIG) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings (N, 5) of unit norm, frames (N, 3, 8) and their lengths."""
    generator = torch.Generator().manual_seed(seed)
    rows = config.writers * config.own
    embeddings = torch.nn.functional.normalize(torch.randn(rows, 5, generator=generator), dim=1)
    frames = torch.randn(rows, 3, 8, generator=generator)
    return embeddings, frames, torch.randint(4, 9, (rows,), generator=generator)


def objective(weights: EpisodeWeights = DEFAULT) -> EpisodeObjective:
    """With scales of no particular value."""
    found = EpisodeObjective(CONFIG, weights)
    with torch.no_grad():
        found.warping.copy_(torch.tensor([3.0, 0.4, -0.5]))
        found.pooled.copy_(torch.tensor([1.7, 0.3, 0.2]))
    return found


def of_writer(config: EpisodeConfig, writer: int) -> tuple[list[int], list[int]]:
    """Rows of a writer's references and probes, counted by hand."""
    begin = writer * config.own
    references = [begin + place for place in range(config.references)]
    own = [begin + place for place in range(config.references, config.own)]
    others = [
        (writer + 1 + other) % config.writers * config.own + other % config.references for other in range(config.random)
    ]
    return references, own + others


def warped(a: Array, b: Array) -> float:
    total = np.full((a.shape[1] + 1, b.shape[1] + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(a.shape[1]):
        for j in range(b.shape[1]):
            cost = math.sqrt(float(((a[:, i] - b[:, j]) ** 2).sum()) + EPSILON)
            total[i + 1, j + 1] = cost + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return float(total[-1, -1])


@pytest.mark.parametrize("config", [EpisodeConfig(), CONFIG, EpisodeConfig(writers=9, references=2, random=8)])
def test_rows_are_what_they_say(config: EpisodeConfig) -> None:
    assert config.reference_rows.shape == (config.writers, config.references)
    assert config.probe_rows.shape == (config.writers, config.probes)
    for writer in range(config.writers):
        references, probes = of_writer(config, writer)
        assert config.reference_rows[writer].tolist() == references
        assert config.probe_rows[writer].tolist() == probes
        own, others = probes[: -config.random], probes[-config.random :]
        assert sorted(references + own) == list(range(writer * config.own, (writer + 1) * config.own))
        imitated = [row // config.own for row in others]
        assert writer not in imitated
        assert len(set(imitated)) == config.random
        assert all(row % config.own < config.references for row in others)


def test_logits_of_warping_are_the_naive_ones() -> None:
    _, frames, lengths = batch()
    found = objective().warping_logits(frames, lengths)
    assert found.shape == (3, 7)
    cut = [np.asarray(row[:, : int(n)].double().numpy()) for row, n in zip(frames, lengths, strict=True)]
    for writer in range(3):
        references, probes = of_writer(CONFIG, writer)
        spread = np.mean([warped(cut[references[i]], cut[references[j]]) for i, j in ((0, 1), (0, 2), (1, 2))])
        length = 5.0 * np.mean([int(lengths[row]) for row in references])
        for place, probe in enumerate(probes):
            d = [warped(cut[probe], cut[row]) for row in references]
            middle = math.log(0.5 * np.mean(d) + 0.5 * min(d))
            expected = -3.0 * (middle - 0.4 * math.log(spread) - 0.6 * math.log(length)) - 0.5
            assert float(found[writer, place].detach()) == pytest.approx(expected, abs=1e-4)


def test_logits_of_embeddings_are_the_naive_ones() -> None:
    embeddings, _, _ = batch()
    found = objective().embedding_logits(embeddings).detach().numpy()
    x = embeddings.double().numpy()
    for writer in range(3):
        references, probes = of_writer(CONFIG, writer)
        mean = x[references].mean(0)
        variance = sum(float(((x[row] - mean) ** 2).sum()) for row in references) / 2
        for place, probe in enumerate(probes):
            squared = float(((x[probe] - mean) ** 2).sum())
            expected = -1.7 * (math.log(squared + 1e-3) - 0.3 * math.log(variance + 1e-3)) + 0.2
            assert found[writer, place] == pytest.approx(expected, abs=1e-4)


def naive_loss(logits: Array, ranking: float) -> float:
    """Cross-entropy by shares of kinds, and the ranking of forged and distorted probes below genuine ones."""
    kinds = ["genuine"] * 2 + ["forged"] * 2 + ["distorted"] + ["random"] * 2
    share = {"genuine": GENUINE / 2, "forged": FORGED / 2, "distorted": DISTORTED, "random": RANDOM / 2}
    entropy, order = [], []
    for row in logits:
        terms = [
            share[kind] * math.log1p(math.exp(-value if kind == "genuine" else value))
            for kind, value in zip(kinds, row, strict=True)
        ]
        entropy.append(sum(terms))
        order += [math.log1p(math.exp(forged - genuine)) for genuine in row[:2] for forged in row[2:5]]
    return float(np.mean(entropy) + ranking * np.mean(order))


def test_the_total_is_the_weighted_sum_of_its_addends() -> None:
    weights = EpisodeWeights(warping=0.7, embedding=1.3, ranking=0.4, supcon=0.25, temperature=0.2)
    loss, values = objective(weights), batch()
    total, addends = loss(*values)
    for name, logits in (
        ("warping", loss.warping_logits(*values[1:])),
        ("embedding", loss.embedding_logits(values[0])),
    ):
        assert addends[name] == pytest.approx(naive_loss(logits.detach().double().numpy(), 0.4), rel=1e-5)
    assert sum((GENUINE, FORGED, DISTORTED, RANDOM)) == pytest.approx(1.0)
    expected = 0.7 * addends["warping"] + 1.3 * addends["embedding"] + 0.25 * addends["supcon"]
    assert float(total.detach()) == pytest.approx(expected, rel=1e-5)
    assert set(addends) == {"warping", "embedding", "supcon"}


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_supcon_takes_every_other_signature_as_a_negative(temperature: float) -> None:
    """As `train.losses.supcon` if every forgery were a person of its own; and as the formula, anchor by anchor."""
    embeddings, frames, lengths = batch(3)
    _, addends = objective(EpisodeWeights(temperature=temperature))(embeddings, frames, lengths)
    labels = torch.arange(len(embeddings)) + 100
    genuine = [[writer * 8 + place for place in range(5)] for writer in range(3)]
    for writer, rows in enumerate(genuine):
        labels[rows] = writer
    assert addends["supcon"] == pytest.approx(float(SupCon(temperature)(embeddings, labels)), rel=1e-5)
    x = embeddings.double().numpy()
    anchors = []
    for rows in genuine:
        for anchor in rows:
            similar = {other: math.exp(float(x[anchor] @ x[other]) / temperature) for other in range(24)}
            everyone = sum(value for other, value in similar.items() if other != anchor)
            anchors.append(np.mean([math.log(similar[row] / everyone) for row in rows if row != anchor]))
    assert addends["supcon"] == pytest.approx(-float(np.mean(anchors)), rel=1e-5)


def test_what_fits_costs_less() -> None:
    """Signatures of a writer together and all else far off, against writers all in one place."""
    embeddings, frames, lengths = batch()
    place = torch.arange(24) % 8
    genuine = place < 5
    good = torch.nn.functional.normalize(torch.eye(5)[torch.arange(24) // 8] + 0.05 * embeddings, dim=1)
    good = torch.where(genuine[:, None], good, embeddings)
    apart = torch.where(genuine[:, None, None], frames[torch.arange(24) // 8 * 8] + 0.1 * frames, frames)
    _, better = objective()(good, apart, torch.full_like(lengths, 8))
    _, worse = objective()(embeddings, frames, torch.full_like(lengths, 8))
    assert all(better[name] < worse[name] for name in better)


def test_equal_embeddings_give_a_finite_loss_and_gradient() -> None:
    embeddings = torch.nn.functional.normalize(torch.ones(24, 5), dim=1).requires_grad_()
    frames = torch.ones(24, 3, 8, requires_grad=True)
    loss = objective()
    total, addends = loss(embeddings, frames, torch.full((24,), 8))
    assert all(math.isfinite(value) for value in addends.values())
    torch.autograd.backward(total)
    for tensor in (embeddings, frames, *loss.parameters()):
        assert tensor.grad is not None
        assert bool(torch.isfinite(tensor.grad).all())
    assert all(float(parameter.grad.abs().max()) > 0.0 for parameter in loss.parameters() if parameter.grad is not None)


@pytest.mark.parametrize(
    "counts",
    [{"references": 1}, {"genuine": 0}, {"forgeries": 0}, {"distorted": 0}, {"random": 0}, {"writers": 3, "random": 3}],
)
def test_an_episode_without_a_kind_is_none(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="an episode needs two references"):
        EpisodeConfig(**counts)
