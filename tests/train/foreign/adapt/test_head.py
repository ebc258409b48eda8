"""The head: the identity at first, the same in numpy, torch and ONNX, and better where there is something to gain."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper

from encode.bundle import Bundle
from encode.errors import TrainingError
from encode.manifest import EmbeddingSpec, IdentitySpec, Manifest, MatchingSpec, NetworkSpec
from encode.network import Network
from encode.runtime import ort
from encode.sample import Modality
from eval.corpora.corpus import Row
from eval.scoring import Acquired
from train.adapt.fitting import HeadPlan, choose_head, fit_head
from train.adapt.graph import with_head
from train.adapt.head import Head, HeadModule
from train.adapt.parts import parts_to_ship, parts_to_test
from train.adapt.rows import Rows, groups
from train.adapt.source import Source
from train.identity_choice import given_candidates

SIZE = 6


def _head(kind: str, unit_norm: bool) -> Head:
    draw = np.random.default_rng(3)

    def some(*shape: int) -> NDArray[np.float32]:
        return (0.3 * draw.normal(size=shape)).astype(np.float32)

    if kind == "linear":
        return Head((some(SIZE, SIZE),), some(0), unit_norm)
    return Head((some(SIZE, 9), some(9, SIZE)), some(9), unit_norm)


@pytest.mark.parametrize("hidden", [None, 8])
@pytest.mark.parametrize("unit_norm", [True, False])
def test_it_begins_as_the_identity(hidden: int | None, unit_norm: bool) -> None:
    x = np.random.default_rng(0).normal(size=(5, SIZE)).astype(np.float32)
    x = x / np.linalg.norm(x, axis=1, keepdims=True) if unit_norm else x
    head = HeadModule(SIZE, hidden, unit_norm=unit_norm, seed=1).fitted()
    np.testing.assert_allclose(head.apply(x), x, atol=1e-6)


@pytest.mark.parametrize("hidden", [None, 8])
def test_numpy_does_what_torch_does(hidden: int | None) -> None:
    module = HeadModule(SIZE, hidden, unit_norm=True, seed=1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    x = torch.randn(7, SIZE, generator=torch.Generator().manual_seed(4))
    np.testing.assert_allclose(module.fitted().apply(x.numpy()), module(x).detach().numpy(), atol=1e-6)


def test_zeros_stay_finite() -> None:
    assert np.isfinite(_head("linear", True).apply(np.zeros((2, SIZE), np.float32))).all()


@pytest.mark.parametrize("kind", ["linear", "residual"])
@pytest.mark.parametrize("unit_norm", [True, False])
def test_onnx_does_what_the_two_do_in_turn(kind: str, unit_norm: bool, tiny_network: Callable[..., bytes]) -> None:
    data, head = tiny_network(size=SIZE), _head(kind, unit_norm)
    merged = Network(with_head(data, head, EmbeddingSpec(size=SIZE, unit_norm=unit_norm), None), None, 1)
    for batch in (1, 2, 7):
        inputs = np.random.default_rng(batch).normal(size=(batch, 1, 10, 8)).astype(np.float32)
        np.testing.assert_allclose(merged.run(inputs), head.apply(Network(data, None, 1).run(inputs)), atol=1e-6)


def test_a_trace_behind_the_embedding_stays(tiny_network: Callable[..., bytes]) -> None:
    data, head = tiny_network(size=SIZE + 4), _head("linear", False)
    spec = EmbeddingSpec(size=SIZE + 4, unit_norm=False, vector=SIZE)
    inputs = np.random.default_rng(1).normal(size=(3, 1, 10, 8)).astype(np.float32)
    rows = Network(data, None, 1).run(inputs)
    found = Network(with_head(data, head, spec, None), None, 1).run(inputs)
    np.testing.assert_array_equal(found[:, SIZE:], rows[:, SIZE:])
    np.testing.assert_allclose(found[:, :SIZE], head.apply(rows[:, :SIZE]), atol=1e-6)


def test_what_was_done_around_a_foreign_network_is_in_the_file(
    foreign_network: Callable[..., bytes],
) -> None:
    data = foreign_network((8, 8, 3), size=SIZE, second="early", batch=1, cubed=True)
    wrapped = NetworkSpec(layout="NHWC", output="embedding", normalise=True, one_by_one=True)
    head, spec = _head("residual", True), EmbeddingSpec(size=SIZE)
    after = wrapped.model_copy(update={"output": None, "normalise": False})
    inputs = np.random.default_rng(1).normal(size=(3, 3, 8, 8)).astype(np.float32)
    expected = head.apply(Network(data, wrapped, 1).run(inputs))
    np.testing.assert_allclose(Network(with_head(data, head, spec, wrapped), after, 1).run(inputs), expected, atol=1e-6)


def test_a_head_goes_behind_a_head(tiny_network: Callable[..., bytes]) -> None:
    data, first, second = tiny_network(size=SIZE), _head("linear", True), _head("residual", True)
    once = with_head(data, first, EmbeddingSpec(size=SIZE), None)
    twice = Network(with_head(once, second, EmbeddingSpec(size=SIZE), None), None, 1)
    inputs = np.random.default_rng(1).normal(size=(3, 1, 10, 8)).astype(np.float32)
    expected = second.apply(first.apply(Network(data, None, 1).run(inputs)))
    np.testing.assert_allclose(twice.run(inputs), expected, atol=1e-6)


def test_what_onnx_cannot_read_is_refused(tiny_network: Callable[..., bytes], tmp_path: Path) -> None:
    """ONNX Runtime also runs files of a format of its own."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "own.ort")
    options.log_severity_level = 3
    ort.InferenceSession(tiny_network(size=SIZE), options, providers=["CPUExecutionProvider"])
    with pytest.raises(TrainingError, match="no ONNX file") as caught:
        with_head((tmp_path / "own.ort").read_bytes(), _head("linear", True), EmbeddingSpec(size=SIZE), None)
    assert caught.value.field == "encoder"


def test_an_opset_too_old_is_refused(tiny_network: Callable[..., bytes]) -> None:
    model = onnx.load_from_string(tiny_network(size=SIZE))
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", 9))
    with pytest.raises(TrainingError, match="opset is 9"):
        with_head(model.SerializeToString(), _head("linear", True), EmbeddingSpec(size=SIZE), None)


def _rows(people: int, *, nuisance: float, seed: int = 0) -> Rows:
    """Two of eight directions tell people apart; the other six are drawn anew for every sample."""
    draw = np.random.default_rng(seed)
    rows, vectors = [], []
    for person in range(people):
        own = draw.normal(size=3)
        for shot in range(6):
            rows.append(
                Row(
                    id=f"c/{person:03}-{shot}",
                    path=Path("nowhere"),
                    person=f"c/{person:03}",
                    modality=Modality.FACE,
                    kind="genuine",
                )
            )
            vectors.append(np.concatenate([own + 0.15 * draw.normal(size=3), nuisance * draw.normal(size=5)]))
    x = np.array(vectors, np.float32)
    return Rows(tuple(rows), Acquired(x / np.linalg.norm(x, axis=1, keepdims=True), {}), 8)


def test_it_learns_to_leave_out_what_tells_nobody_apart() -> None:
    everybody = _rows(30, nuisance=1.0)
    training, held = everybody.of(everybody.people[:20]), everybody.of(everybody.people[20:])
    head, step = fit_head(training, held, HeadPlan(None, 0.1), unit_norm=True, seed=0, steps=120)
    assert head is not None
    assert step > 0
    again, _ = fit_head(training, held, HeadPlan(None, 0.1), unit_norm=True, seed=0, steps=120)
    assert again is not None
    np.testing.assert_array_equal(head.matrices[0], again.matrices[0])  # the seed decides


def test_the_choice_is_never_worse_than_no_head_on_the_people_who_choose() -> None:
    everybody = _rows(24, nuisance=0.05)
    training, held = everybody.of(everybody.people[:14]), everybody.of(everybody.people[14:])
    candidates = given_candidates(IdentitySpec(kind="spherical"))
    plans = [HeadPlan(None, 0.1), HeadPlan(4, 0.1)]
    chosen = choose_head(training, held, candidates, unit_norm=True, seed=0, plans=plans)
    bare = choose_head(training, held, candidates, unit_norm=True, seed=0, plans=[])
    assert bare.head is None
    assert chosen.measured[0].cost <= bare.measured[0].cost


def test_embeddings_of_any_norm_are_learned_from() -> None:
    everybody = _rows(16, nuisance=1.0)
    large = Rows(everybody.rows, Acquired(everybody.acquired.embeddings * 50.0, {}), 8)
    head, _ = fit_head(
        large.of(large.people[:10]), large.of(large.people[10:]), HeadPlan(None, 0.1), unit_norm=False, seed=0, steps=60
    )
    assert head is None or np.isfinite(head.matrices[0]).all()


@pytest.mark.parametrize("folds", [1, 3, 5])
def test_nobody_is_in_two_parts(folds: int) -> None:
    people = [f"c/{number}" for number in range(41)]
    divisions = parts_to_test(people, folds=folds, seed=0)
    for parts in [*divisions, parts_to_ship(people, folds=folds, seed=0)]:
        everybody = [*parts.head, *parts.background, *parts.tested]
        assert sorted(everybody) == sorted(people)
    tested = [person for parts in divisions for person in parts.tested]
    assert len(tested) == len(set(tested))
    if folds > 1:
        assert sorted(tested) == sorted(people)
        assert parts_to_ship(people, folds=folds, seed=0).tested == ()
    else:
        assert parts_to_ship(people, folds=1, seed=0) == divisions[0]


def test_too_few_people_are_counted() -> None:
    with pytest.raises(TrainingError, match="8 people are too few"):
        parts_to_test([f"c/{number}" for number in range(8)], folds=5, seed=0)


def test_impostors_are_of_the_same_corpus() -> None:
    assert groups(["a/1", "a/2", "b/1", "c/1", "c/2"]) == [["a/1", "a/2"], ["c/1", "c/2"]]


def test_shrinkages_are_tried_where_they_change_a_score(tiny_manifest: Callable[..., Manifest]) -> None:
    def candidates(**weights: float) -> int:
        matching = MatchingSpec(weights={"shape.log_mean": -1.0, **weights})
        manifest = tiny_manifest(identity=IdentitySpec(kind="map", matching=matching))
        blank: Any = None
        return len(Source(manifest, b"", encode=blank, bundle=cast(Bundle, object())).candidates())

    assert candidates() == 1
    assert candidates(gaussian=1.0) > 1
