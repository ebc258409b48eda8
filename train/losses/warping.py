"""Dynamic time warping between learned frames, with gradient along the best path.

    d(a, b) = min over paths of Σ_(i,j) on the path √(‖a_i − b_j‖² + ε)

with steps (1, 0), (0, 1), (1, 1): the sum of `enroll.dtw`. The path is found without gradient and held fixed, which
is the gradient of the minimum wherever the minimum is unique (Danskin).
"""

import torch
from torch import Tensor

EPSILON = 1e-4
_FAR = 1e9


def warping_distances(a: Tensor, a_lengths: Tensor, b: Tensor, b_lengths: Tensor, *, buckets: int = 4) -> Tensor:
    """Frames (P, C, N) and (P, C, M), lengths int64 (P,) → distances float32 (P,).

    `buckets` groups pairs of like length, which saves padding; it cannot change a result.
    """
    order = torch.argsort(torch.maximum(a_lengths, b_lengths))
    back = torch.argsort(order)
    pieces = [_distances(a[part], a_lengths[part], b[part], b_lengths[part]) for part in order.chunk(buckets)]
    return torch.cat(pieces)[back]


def _distances(a: Tensor, n: Tensor, b: Tensor, m: Tensor) -> Tensor:
    left = a[:, :, : int(n.max())].transpose(1, 2).float()
    right = b[:, :, : int(m.max())].transpose(1, 2).float()
    squares = (left * left).sum(2)[:, :, None] + (right * right).sum(2)[:, None] - 2.0 * left @ right.transpose(1, 2)
    cost = torch.sqrt(squares.clamp(min=0.0) + EPSILON)
    return (cost * best_paths(cost.detach(), n, m)).sum((1, 2))


@torch.no_grad()
def best_paths(cost: Tensor, n: Tensor, m: Tensor) -> Tensor:
    """Local costs (P, N, M), lengths (P,) → bool (P, N, M), True on each pair's best path."""
    pairs, rows, columns = cost.shape
    diagonals = rows + columns - 1
    row = torch.arange(rows)
    column = torch.arange(diagonals)[:, None] - row
    inside = (column >= 0) & (column < columns)
    at = (row * columns + column.clamp(0, columns - 1)).reshape(-1)
    # skewed[d, p, i] is the cost of (i, d − i): a whole anti-diagonal of the whole batch lies together.
    skewed = cost.reshape(pairs, -1)[:, at].view(pairs, diagonals, rows)
    skewed = torch.where(inside, skewed, _FAR).transpose(0, 1).contiguous()
    moves = torch.empty(diagonals, pairs, rows, dtype=torch.uint8)  # 0 both, 1 first, 2 second index steps
    last = torch.full((pairs, rows + 1), _FAR)
    before = torch.full((pairs, rows + 1), _FAR)  # column 0 stands for i = −1
    for d in range(diagonals):
        first, second, both = last[:, :-1], last[:, 1:], before[:, :-1]
        best = torch.minimum(torch.minimum(first, second), both)
        moves[d] = torch.where(both <= best, 0, torch.where(first <= best, 1, 2))
        if d == 0:
            best = torch.full_like(best, _FAR)
            best[:, 0] = 0.0
        current = torch.full((pairs, rows + 1), _FAR)
        current[:, 1:] = (best + skewed[d]).clamp(max=_FAR)
        before, last = last, current
    return _walked(moves, n, m, columns)


def _walked(moves: Tensor, n: Tensor, m: Tensor, columns: int) -> Tensor:
    """Back from the end of every pair to (0, 0)."""
    diagonals, pairs, rows = moves.shape
    path = torch.zeros(pairs, rows * columns, dtype=torch.bool)
    pair, i, j = torch.arange(pairs), n - 1, m - 1
    for _ in range(diagonals):
        path[pair, i * columns + j] = True
        if not bool((i + j).any()):
            break
        move = moves[i + j, pair, i]
        i, j = (i - (move != 2).long()).clamp(min=0), (j - (move != 1).long()).clamp(min=0)
    return path.view(pairs, rows, columns)
