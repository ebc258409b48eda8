"""Warping of learned frames: equal to a naive one and to the service's, with the gradient of the path it takes."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from enroll.dtw import dtw_distances
from train.losses.warping import EPSILON, best_paths, warping_distances

Array = NDArray[np.float64]


def drawn(pairs: int = 7, channels: int = 3, rows: int = 9, columns: int = 12, seed: int = 0) -> tuple[Tensor, ...]:
    """Frames (P, C, N), lengths, frames (P, C, M), lengths; one pair fills its arrays, one has a single frame."""
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(pairs, channels, length, generator=generator) for length in (rows, columns))
    n, m = (torch.randint(1, length + 1, (pairs,), generator=generator) for length in (rows, columns))
    n[0], m[0], n[1], m[1], n[2] = rows, columns, 1, columns, 1
    return a, n, b, m


def naive(a: Array, b: Array, epsilon: float = EPSILON) -> float:
    """(C, n) and (C, m), cell by cell."""
    n, m = a.shape[1], b.shape[1]
    total = np.full((n + 1, m + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(n):
        for j in range(m):
            cost = np.sqrt(((a[:, i] - b[:, j]) ** 2).sum() + epsilon)
            total[i + 1, j + 1] = cost + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return float(total[n, m])


def cut(frames: Tensor, lengths: Tensor, pair: int) -> Array:
    return np.asarray(frames[pair, :, : int(lengths[pair])].double().numpy())


@pytest.mark.parametrize("seed", range(4))
def test_distances_are_the_naive_ones(seed: int) -> None:
    a, n, b, m = drawn(seed=seed)
    expected = [naive(cut(a, n, pair), cut(b, m, pair)) for pair in range(len(n))]
    np.testing.assert_allclose(warping_distances(a, n, b, m).numpy(), expected, rtol=1e-5)


def test_distances_are_those_of_the_service() -> None:
    """But for ε under the root: at most √ε a step of the path."""
    a, n, b, m = drawn(pairs=20)
    served = dtw_distances(a.transpose(1, 2).numpy(), b.transpose(1, 2).numpy(), n.numpy(), m.numpy())
    found = warping_distances(a, n, b, m).numpy()
    steps = (n + m).numpy()
    assert (found > served).all()
    assert (found - served <= np.sqrt(EPSILON) * steps).all()
    np.testing.assert_allclose(found, served, rtol=1e-3)


@pytest.mark.parametrize("buckets", [1, 2, 5, 40])
def test_buckets_change_nothing(buckets: int) -> None:
    a, n, b, m = drawn(pairs=11)
    expected = [float(warping_distances(a[[p]], n[[p]], b[[p]], m[[p]])) for p in range(11)]
    np.testing.assert_allclose(warping_distances(a, n, b, m, buckets=buckets).numpy(), expected, rtol=1e-6)


def test_what_lies_beyond_the_lengths_decides_nothing() -> None:
    a, n, b, m = drawn()
    before = warping_distances(a, n, b, m)
    for frames, lengths in ((a, n), (b, m)):
        frames[(torch.arange(frames.shape[2]) >= lengths[:, None])[:, None].expand_as(frames)] = 1e3
    a.requires_grad_()
    found = warping_distances(a, n, b, m)
    torch.testing.assert_close(found, before)
    (gradient,) = torch.autograd.grad(found.sum(), a)
    assert not bool(gradient.transpose(1, 2)[torch.arange(a.shape[2]) >= n[:, None]].any())


def test_sides_may_be_exchanged() -> None:
    a, n, b, m = drawn()
    torch.testing.assert_close(warping_distances(a, n, b, m), warping_distances(b, m, a, n))


def test_equal_frames_lie_one_root_of_epsilon_a_frame_apart() -> None:
    a, n, _, _ = drawn()
    torch.testing.assert_close(warping_distances(a, n, a, n), 0.01 * n.float(), atol=2e-3, rtol=0.0)
    a.requires_grad_()
    (gradient,) = torch.autograd.grad(warping_distances(a, n, a.detach().clone(), n).sum(), a)
    assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize("seed", range(3))
def test_paths_lead_from_one_end_to_the_other(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    cost = torch.rand(8, 9, 12, generator=generator)
    n, m = torch.randint(1, 10, (8,), generator=generator), torch.randint(1, 13, (8,), generator=generator)
    paths = best_paths(cost, n, m)
    assert paths.dtype == torch.bool
    for pair, path in enumerate(paths):
        cells = path.nonzero()
        order = cells[cells.sum(1).argsort()]
        assert order[0].tolist() == [0, 0]
        assert order[-1].tolist() == [int(n[pair]) - 1, int(m[pair]) - 1]
        steps = {tuple(step) for step in order.diff(dim=0).tolist()}
        assert steps <= {(1, 0), (0, 1), (1, 1)}
        total = np.full((10, 13), np.inf)
        total[0, 0] = 0.0
        for i in range(int(n[pair])):
            for j in range(int(m[pair])):
                least = min(total[i, j], total[i, j + 1], total[i + 1, j])
                total[i + 1, j + 1] = float(cost[pair, i, j]) + least
        assert float(cost[pair][path].sum()) == pytest.approx(total[int(n[pair]), int(m[pair])], rel=1e-5)


def test_on_a_tie_the_path_is_the_short_one() -> None:
    path = best_paths(torch.ones(1, 5, 5), torch.tensor([5]), torch.tensor([5]))
    assert torch.equal(path[0], torch.eye(5, dtype=torch.bool))


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_the_minimum(seed: int) -> None:
    """Finite differences of the naive distance: at random frames the best path is one, so the minimum is smooth."""
    a, n, b, m = drawn(pairs=3, channels=2, rows=5, columns=6, seed=seed)
    a.requires_grad_()
    b.requires_grad_()
    weights = torch.tensor([1.0, -2.0, 0.5])
    gradients = torch.autograd.grad((weights * warping_distances(a, n, b, m)).sum(), (a, b))
    step = 1e-6
    for side, gradient in enumerate(gradients):
        for pair in range(3):
            ends = [cut(frames.detach(), lengths, pair) for frames, lengths in ((a, n), (b, m))]
            for place in np.ndindex(*ends[side].shape):
                values = []
                for sign in (1.0, -1.0):
                    moved = [end.copy() for end in ends]
                    moved[side][place] += sign * step
                    values.append(naive(*moved))
                slope = float(weights[pair]) * (values[0] - values[1]) / (2 * step)
                assert float(gradient[pair][place]) == pytest.approx(slope, abs=2e-4)
