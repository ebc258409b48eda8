"""The queue of earlier embeddings: its order, what of it is compared, and that it is state like any other."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from train.losses.memory import EMPTY, NOBODY, MemoryQueue

BuildTerm = Callable[..., MemoryQueue]
Sphere = Callable[..., Tensor]
ValueAndGradient = Callable[[Callable[[Tensor], Tensor], Tensor], tuple[Tensor, Tensor]]


def numbered(*numbers: int) -> Tensor:
    """Embeddings told apart by their values; a queue does not ask for a norm."""
    return torch.tensor(numbers, dtype=torch.float64)[:, None].expand(-1, 5).contiguous()


def held(queue: MemoryQueue) -> list[tuple[int, int]]:
    return list(zip(queue.embeddings[:, 0].int().tolist(), queue.labels.tolist(), strict=True))


def test_the_oldest_leave_first_and_places_go_round(build_term: BuildTerm) -> None:
    queue = build_term("infonce", queue=5)
    assert held(queue) == [(0, EMPTY)] * 5
    queue(numbered(1, 2, 3), torch.tensor([0, 0, 1]))
    assert held(queue) == [(1, 0), (2, 0), (3, 1), (0, EMPTY), (0, EMPTY)]
    queue(numbered(4, 5, 6), torch.tensor([1, 2, 2]))
    assert held(queue) == [(6, 2), (2, 0), (3, 1), (4, 1), (5, 2)]
    queue(numbered(7), torch.tensor([3]))
    assert held(queue) == [(6, 2), (7, 3), (3, 1), (4, 1), (5, 2)]
    assert int(queue.oldest) == 2


def test_of_a_batch_longer_than_the_queue_the_last_stay(build_term: BuildTerm) -> None:
    queue = build_term("infonce", queue=3)
    queue(numbered(1, 2, 3, 4, 5), torch.tensor([0, 0, 1, 1, 2]))
    assert sorted(held(queue)) == [(3, 1), (4, 1), (5, 2)]


def test_a_queued_forgery_is_nobodys(build_term: BuildTerm, sphere: Sphere, with_gradient: ValueAndGradient) -> None:
    """Its label means nothing in a later batch, where another forgery may bear the same."""
    queue = build_term("supcon", queue=2, people=4)
    queue(sphere(2, seed=1), torch.tensor([7, 8]))
    assert queue.labels.tolist() == [NOBODY, NOBODY]
    value, gradient = with_gradient(lambda x: queue(x, torch.tensor([7, 8])), sphere(2, seed=2))
    assert float(value) == 0.0
    assert not bool(gradient.any())


def test_what_is_empty_is_compared_with_nobody(build_term: BuildTerm, sphere: Sphere) -> None:
    labels = torch.tensor([0, 0, 1, 1, 2])
    plain, queue = build_term("supcon"), build_term("supcon", queue=50)
    torch.testing.assert_close(queue(sphere(5), labels), plain(sphere(5), labels), atol=1e-6, rtol=1e-6)


def test_a_queue_waits_until_it_is_due(build_term: BuildTerm, sphere: Sphere) -> None:
    labels = torch.tensor([0, 0, 1, 1, 2])
    plain, queue = build_term("supcon"), build_term("supcon", queue=5, queue_after=0.5)
    queue.progress(0.4)
    queue(sphere(5, seed=1), labels)
    early = queue(sphere(5), labels)
    queue.progress(0.5)
    late = queue(sphere(5), labels)
    torch.testing.assert_close(early, plain(sphere(5), labels), atol=1e-6, rtol=1e-6)
    assert abs(float(late - early)) > 1e-3


def test_the_state_goes_on_where_it_was(build_term: BuildTerm, sphere: Sphere) -> None:
    labels = torch.tensor([0, 0, 1, 1, 2])
    first = build_term("infonce", queue=7)
    for seed in range(2):
        first(sphere(5, seed=seed), labels)
    second = build_term("infonce", queue=7)
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    assert {"embeddings", "labels", "oldest"} <= set(first.state_dict())
    for seed in range(2, 5):
        assert torch.equal(first(sphere(5, seed=seed), labels), second(sphere(5, seed=seed), labels))


@pytest.mark.parametrize("kind", ["infonce", "hadsell2006", "multi_similarity"])
def test_gradients_reach_the_batch_as_rows_and_as_columns(build_term: BuildTerm, sphere: Sphere, kind: str) -> None:
    labels = torch.tensor([0, 0, 1, 1, 2])
    queue = build_term(kind, queue=7)
    queue(sphere(5, seed=1), labels)
    x = sphere(5, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: copy.deepcopy(queue)(x, labels), (x,), atol=1e-6)


def test_keys_are_columns_without_a_gradient(build_term: BuildTerm, sphere: Sphere) -> None:
    """A row's own key is its positive, being of another view; the key of another row of the person too."""
    queue = build_term("infonce", queue=6, keys="average", queue_after=1.0, temperature=0.5)
    x, keys = sphere(3, seed=1).requires_grad_(), sphere(3, seed=2).requires_grad_()
    value = queue(x, torch.tensor([0, 0, 9]), keys)
    e = torch.exp(x @ keys.T / 0.5)
    terms = [-torch.log(e[i, p] / (e[i, p] + e[i, 2])) for i in (0, 1) for p in (0, 1)]
    torch.testing.assert_close(value, torch.stack(terms).mean())
    torch.autograd.backward(value)
    assert keys.grad is None
    torch.testing.assert_close(queue.embeddings[:3], keys.detach().to(queue.embeddings.dtype))
