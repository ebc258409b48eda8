"""Embeddings instead of samples: the corpus they make, and the sets that would give wrong rates."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from encode.errors import CorpusInvalid, TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Corpus, merge
from eval.files.embedding_set import EmbeddingSet, as_corpus, as_set, require_model, require_size
from eval.plans.protocol import Protocol
from eval.scoring import score_corpus
from verify.verifier import Verifier

MakeCorpus = Callable[..., Corpus]


def test_rows_tell_what_the_set_does_in_order_of_ids(three: EmbeddingSet) -> None:
    corpus, acquired = as_corpus(three, "signers")
    assert corpus.name == "signers"
    assert [row.id for row in corpus.rows] == ["a", "b", "c"]
    assert acquired.embeddings.tolist() == [[0, 0], [3, 4], [1, 2]]
    assert acquired.reasons == {0: "IMAGE_CORRUPT"}
    a, b, c = corpus.rows
    assert (a.person, a.order, a.session, a.split, a.groups) == ("ann", 1, None, "test", {"group_hand": "left"})
    assert (b.person, b.kind, b.modality, b.session) == ("bob", "forgery", Modality.SIGNATURE, "s2")
    with pytest.raises(CorpusInvalid, match="no file to read"):
        c.load()


def test_an_ordered_set_is_not_copied(three: EmbeddingSet) -> None:
    ordered = replace(three, samples=["a", "b", "c"])
    assert as_corpus(ordered, "signers")[1].embeddings is ordered.embeddings


def test_a_set_scores_as_the_samples_it_was_made_of(
    make_corpus: MakeCorpus, make_verifier: Callable[..., Verifier]
) -> None:
    corpus = make_corpus(forgeries=2, unreadable={"p001/g02"})
    verifier, protocol = make_verifier(), Protocol(references=3, draws=2)
    scored = score_corpus(corpus, verifier, Modality.FACE, protocol, quiet=True)
    held = as_set(scored.rows, scored.acquired, "m")
    shuffled = np.random.default_rng(0).permutation(len(held))
    place = {int(index): position for position, index in enumerate(shuffled)}
    again = replace(
        held,
        **{
            name: [getattr(held, name)[index] for index in shuffled]
            for name in ("samples", "people", "kinds", "orders")
        },
        sessions=None,
        splits=None,
        embeddings=held.embeddings[shuffled],
        reasons={place[index]: reason for index, reason in held.reasons.items()},
    )
    other, acquired = as_corpus(again, "embeddings")
    table = score_corpus(other, verifier, Modality.FACE, protocol, embedded=acquired, quiet=True).table
    assert (table.people, table.samples) == (scored.table.people, scored.table.samples)
    for column in ("kind", "scores", "claim", "draw", "probe"):
        assert (getattr(table, column) == getattr(scored.table, column)).all()


def test_the_digest_follows_the_numbers_and_the_reasons_not_the_order(three: EmbeddingSet) -> None:
    def digest(held: EmbeddingSet) -> str:
        return as_corpus(held, "any name")[0].digest

    backwards = EmbeddingSet(
        samples=three.samples[::-1],
        people=three.people[::-1],
        kinds=three.kinds[::-1],
        modality=three.modality,
        embeddings=np.ascontiguousarray(three.embeddings[::-1]),
        reasons={1: "IMAGE_CORRUPT"},
    )
    assert digest(backwards) == digest(three)
    other = three.embeddings.copy()
    other[2, 1] += 1
    changed = [
        replace(three, embeddings=other),
        replace(three, reasons={1: "IMAGE_ANIMATED"}),
        replace(three, people=["ann", "bob", "bob"]),
        replace(three, kinds=["genuine"] * 3),
    ]
    assert len({digest(held) for held in [three, *changed]}) == 5


def test_a_part_of_the_corpus_keeps_what_its_digest_rests_on(three: EmbeddingSet) -> None:
    other = three.embeddings.copy()
    other[0, 0] += 1
    first, second = (as_corpus(held, "x")[0] for held in (three, replace(three, embeddings=other)))
    assert first.only(["bob"]).digest == second.only(["bob"]).digest
    assert first.only(["ann"]).digest != second.only(["ann"]).digest
    assert merge("all", [first]).digest != merge("all", [second]).digest


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"samples": ["a", "b", "a"]}, "row 3: sample: 'a' is the id of row 1 already"),
        ({"people": ["ann", "bob"]}, "person: 2 values for 3 embeddings"),
        ({"groups": {"group_hand": ["left"]}}, "group_hand: 1 values for 3 embeddings"),
        ({"embeddings": np.zeros((0, 2), np.float32)}, "there are no embeddings"),
        ({"embeddings": np.ones((3, 0), np.float32)}, "there are no embeddings"),
        ({"embeddings": np.ones((3, 2))}, "float64"),
        ({"embeddings": np.array([[1, 1], [0, 0], [1, np.nan]], np.float32)}, "row 3: embedding: a value is NaN"),
        (
            {"embeddings": np.array([[1, np.inf], [0, 0], [1, 1]], np.float32)},
            "row 1: embedding: a value is NaN or inf",
        ),
        ({"reasons": {}}, "row 2: embedding: all values are zero .*column failed"),
    ],
)
def test_sets_that_would_give_wrong_rates_are_refused(
    three: EmbeddingSet, change: dict[str, object], match: str
) -> None:
    with pytest.raises(CorpusInvalid, match=match):
        replace(three, **change)  # type: ignore[arg-type]


def test_rows_far_into_a_set_are_checked_too(three: EmbeddingSet) -> None:
    many = 10_000
    embeddings = np.ones((many, 2), dtype=np.float32)
    embeddings[9_000, 1] = np.nan
    with pytest.raises(CorpusInvalid, match="row 9001"):
        EmbeddingSet([str(i) for i in range(many)], ["p"] * many, ["genuine"] * many, Modality.FACE, embeddings)


def test_embeddings_must_fit_the_bundle(three: EmbeddingSet) -> None:
    require_size(three, 2, "signature")
    with pytest.raises(CorpusInvalid, match="rows of 2 numbers, where signature has 38"):
        require_size(three, 38, "signature")
    require_model(three, "m", "signature")
    require_model(replace(three, model_digest=""), "n", "signature")
    with pytest.raises(CorpusInvalid, match="not of signature"):
        require_model(three, "n", "signature")


def test_there_is_no_set_of_nothing(three: EmbeddingSet) -> None:
    with pytest.raises(TrialsError, match="no samples"):
        as_set([], as_corpus(three, "x")[1], "m")
