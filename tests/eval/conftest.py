"""Synthetic people for the evaluator: embeddings drawn from a two-covariance model, scored by the real verifier.

A sample's "image" is its embedding's bytes; the stand-in encoder reads them back, and refuses an empty one as a real
encoder would. Everything behind it (identity model, verifier) is the product's own.
"""

import json
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import SampleEmpty
from encode.manifest import IdentitySpec
from encode.sample import ImageSample, Modality, Sample
from enroll.identity import IdentityModel
from enroll.stores.memory import MemoryStore
from eval.corpora.corpus import Corpus, Row
from eval.trials import KINDS, ScoreTable, TrialKind, Trials
from verify.model import Model
from verify.policy import Policy
from verify.verifier import Verifier

SIZE = 8
DIGEST = "ab" * 32


class BytesEncoder:
    """float32 bytes → the embedding they are."""

    modality = Modality.FACE
    embedding_size = SIZE
    model_digest = DIGEST

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        assert isinstance(sample, ImageSample)
        if not sample.data:
            raise SampleEmpty("no bytes", field="data")
        return np.frombuffer(sample.data, np.float32).reshape(1, 1, SIZE)

    def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return inputs.reshape(len(inputs), SIZE)


class Page(HTMLParser):
    """Text, headings, ids and outside references of a page; fails on tags that do not match."""

    VOID = frozenset({"meta", "br", "wbr", "link", "img", "path", "use", "rect"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.headings: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append("")
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(str(value))
            elif name in {"src", "href", "xlink:href"} and not str(value).startswith("#"):
                self.loads.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] in {"h1", "h2", "h3", "h4"}:
            self.headings[-1] += data.strip()


@pytest.fixture(scope="session")
def parse_page() -> Callable[[str], Page]:
    """``parse_page(html)``: the page as what a test asks of it."""
    return Page


@pytest.fixture(scope="session")
def make_verifier() -> Callable[..., Verifier]:
    """A real verifier over the stand-in encoder; `within` is the model's within-person standard deviation."""

    def make(policy: Policy | None = None, within: float = 1.0) -> Verifier:
        identity = IdentityModel(
            IdentitySpec(kind="pooled"),
            {
                "mean": np.zeros(SIZE),
                "within": within**2 * np.eye(SIZE),
                "total": (4.0 + within**2) * np.eye(SIZE),
            },
        )
        model = Model("synthetic", BytesEncoder(), identity, policy)
        return Verifier({Modality.FACE: model}, MemoryStore())

    return make


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Corpus]:
    """People p000… with `samples` genuine samples each and `forgeries`; ids in `unreadable` hold no bytes."""

    def make(
        people: int = 12,
        samples: int = 8,
        forgeries: int = 0,
        unreadable: Iterable[str] = (),
        seed: int = 0,
        reverse: bool = False,
    ) -> Corpus:
        generator = np.random.default_rng(seed)
        broken, rows = set(unreadable), []
        for person in range(people):
            mean = generator.normal(0, 2, SIZE)
            for kind, number, spread in (("genuine", samples, 1.0), ("forgery", forgeries, 1.6)):
                for index in range(number):
                    name = f"p{person:03}/{kind[0]}{index:02}"
                    vector = (mean + spread * generator.normal(0, 1, SIZE)).astype(np.float32)
                    data = b"" if name in broken else vector.tobytes()
                    rows.append(
                        Row(
                            id=name,
                            path=Path(name),
                            person=f"p{person:03}",
                            kind=kind,
                            order=index,
                            loader=lambda _, data=data: ImageSample(data),
                        )
                    )
        return Corpus("synthetic people", reversed(rows) if reverse else rows)

    return make


@pytest.fixture(scope="session")
def make_trials() -> Callable[..., Trials]:
    """Trials from a matrix of scores, one row a person; every column is another probe of that person's."""

    def make(scores: NDArray[np.float64], first_probe: int = 0) -> Trials:
        people, probes = scores.shape
        claim = np.repeat(np.arange(people, dtype=np.int32), probes)
        probe = first_probe + np.arange(scores.size, dtype=np.int32)
        return Trials(scores.ravel().astype(np.float64), claim, np.zeros_like(claim), probe)

    return make


@pytest.fixture(scope="session")
def make_table(make_trials: Callable[..., Trials]) -> Callable[..., ScoreTable]:
    """A score table from one matrix of scores (people, probes) per kind."""

    def make(**scores: NDArray[np.float64]) -> ScoreTable:
        pieces, first = [], 0
        for kind in KINDS:
            if kind.value in scores:
                pieces.append((kind, make_trials(scores[kind.value], first)))
                first += scores[kind.value].size
        people = max(matrix.shape[0] for matrix in scores.values())
        return ScoreTable(
            people=tuple(f"p{index:03}" for index in range(people)),
            samples=tuple(f"s{index:06}" for index in range(first)),
            kind=np.concatenate([np.full(len(trials), KINDS.index(kind), np.int8) for kind, trials in pieces]),
            scores=np.concatenate([trials.scores for _, trials in pieces]),
            claim=np.concatenate([trials.claim for _, trials in pieces]),
            draw=np.concatenate([trials.draw for _, trials in pieces]),
            probe=np.concatenate([trials.probe for _, trials in pieces]),
            model_digest=DIGEST,
        )

    assert KINDS[0] is TrialKind.GENUINE
    return make


@pytest.fixture
def measured() -> dict[str, Any]:
    """A whole results.json as data, with every block that a run on a corpus can have."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("measured.json").read_text())
    return found


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages hold empty figures and no map: drawing is most of a run's time, and these tests look at something else."""
    monkeypatch.setattr("eval.drawings.style.Drawing.inline", lambda _: "<svg></svg>")
    monkeypatch.setattr("eval.run.embedding_map", lambda *_, **__: None)
