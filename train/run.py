"""From corpora and a recipe to a sealed bundle: train, export, fit the background, choose the identity model, set
thresholds, write the card.

Every step uses what serving uses: background and policy people are embedded by the exported network through the same
`Encoder` that the service runs.
"""

import datetime
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from encode.bundle import Bundle, seal_bundle
from encode.encoder import Encoder
from encode.errors import SampleError, TrainingError
from encode.manifest import CorpusUse, EmbeddingSpec, IdentitySpec, Manifest
from encode.sample import Modality
from eval.corpora.corpus import Corpus, merge
from eval.corpora.spec import open_corpus
from eval.development_policy import development_policy
from train.background import fit_background
from train.card import write_card
from train.export import check_parity, export_onnx
from train.identity_choice import calibrate, choose_identity, default_candidates
from train.loop import Trained, Trainer
from train.networks.mirror import MirrorAveraged
from train.networks.residual import count_parameters
from train.people_split import Role, require_disjoint, split_people
from train.pixels import load_pixels
from train.recipe import Recipe

_DRAFT = "# not finished\n"

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


@dataclass(frozen=True)
class Pool:
    """The people of all corpora by role."""

    corpora: Sequence[Corpus]
    cohort: Sequence[Corpus]
    merged: Corpus
    people: dict[Role, tuple[str, ...]]

    def part(self, role: Role) -> Corpus:
        """The samples of one role's people."""
        if not self.people[role]:
            raise TrainingError(
                f"no person falls into the {role.value} part", field="corpus", fix="train on more people (about 60)"
            )
        return self.merged.only(self.people[role], name=f"{self.merged.name}, {role.value} people")

    def policy_part(self) -> Corpus:
        """The policy people of the corpus that has most of them, and the cohort as further impostors.

        One corpus, not all: an impostor from another corpus is told apart by the camera, and thresholds set against
        such impostors would promise too much.
        """
        held = self.part(Role.POLICY)
        by_corpus = Counter(person.partition("/")[0] for person in held.people)
        name, _ = by_corpus.most_common(1)[0]
        kept = held.only(person for person in held.people if person.startswith(f"{name}/"))
        rows = [*kept.rows, *(row for row in (merge("cohort", self.cohort).rows if self.cohort else ()))]
        return Corpus("+".join([f"{name} (policy people)", *(corpus.name for corpus in self.cohort)]), rows)


def open_pool(specs: Sequence[str], cohort_specs: Sequence[str] = ()) -> Pool:
    """Open the corpora and divide their people; cohort corpora give impostors to the policy and nothing else.

    Only people's own face images count: a forgery shows somebody else under the person's name.
    """
    if not specs:
        raise TrainingError("no corpus given", field="corpus", fix="name at least one, for example lfw:DIR")
    corpora = [_own_faces(open_corpus(spec)) for spec in specs]
    cohort = [_own_faces(open_corpus(spec)) for spec in cohort_specs]
    for extra in cohort:
        for corpus in corpora:
            require_disjoint(corpus, extra)
    merged = merge("+".join(corpus.name for corpus in corpora), corpora)
    return Pool(corpora, cohort, merged, split_people(merged.people))


def _own_faces(corpus: Corpus) -> Corpus:
    rows = [row for row in corpus.rows if row.modality is Modality.FACE and row.kind == "genuine"]
    return corpus if len(rows) == len(corpus) else Corpus(corpus.name, rows)


def train_bundle(
    recipe: Recipe,
    specs: Sequence[str],
    bundle: Path,
    work: Path,
    *,
    cohort: Sequence[str] = (),
    progress: Progress = lambda *_: None,
) -> Bundle:
    """Train `recipe` on the corpora and seal the result at `bundle`; `work` holds checkpoint and curve.

    `cohort` corpora hold people of whom one sample suffices: they widen the evidence behind the policy's FARs.

    Raises TrainingError, CorpusError.
    """
    pool = open_pool(specs, cohort)
    trained = fit_network(recipe, pool, work, progress=progress)
    return seal_trained(recipe, pool, trained, bundle, progress=progress)


def fit_network(recipe: Recipe, pool: Pool, work: Path, *, progress: Progress = lambda *_: None) -> Trained:
    """Train (or continue, or just reload) the network of `recipe` on the pool's training people."""
    preprocessing = recipe.steps()
    parts = {}
    for role in (Role.TRAINING, Role.BACKGROUND):
        corpus = pool.part(role)
        parts[role] = load_pixels(
            corpus, preprocessing, margin=recipe.margin, advance=lambda done, total: progress("read", done, total)
        )
    trainer = Trainer(
        recipe,
        parts[Role.TRAINING],
        parts[Role.BACKGROUND],
        work,
        report=lambda step, steps, losses: progress("train", step, steps),
    )
    return trainer.run()


def seal_trained(
    recipe: Recipe, pool: Pool, trained: Trained, bundle: Path, *, progress: Progress = lambda *_: None
) -> Bundle:
    """Export, fit what follows the network, and seal at `bundle`; nothing is written there before the end."""
    preprocessing = recipe.steps()
    network: nn.Module = MirrorAveraged(trained.network) if recipe.mirror else trained.network
    encoder = export_onnx(network, preprocessing.shape)
    parity = check_parity(network, encoder, preprocessing.shape)
    size = _embedding_size(network, preprocessing.shape)
    manifest = Manifest(
        format_version=1,
        name=recipe.name,
        modality=Modality.FACE,
        created=datetime.datetime.now(datetime.UTC).date().isoformat(),
        model_digest="0" * 64,
        preprocessing=preprocessing.describe(),
        embedding=EmbeddingSpec(size=size, unit_norm=bool(network.unit_norm)),
        identity=IdentitySpec(kind="pooled"),
        corpora=_uses(pool),
        recipe=recipe.describe(),
        parts={},
    )
    blank = {"mean": np.zeros(size), "total": np.eye(size), "within": np.eye(size)}
    with tempfile.TemporaryDirectory() as draft:
        bare = seal_bundle(draft, manifest=manifest, encoder=encoder, background=blank, card=_DRAFT)
        embeddings, labels, names = embed_corpus(Encoder(bare), pool.part(Role.BACKGROUND), progress)
    candidates = default_candidates()
    measured = choose_identity(embeddings, labels, names, candidates, seed=recipe.seed)
    best = measured[0]
    background = fit_background(
        embeddings,
        labels,
        within_shrinkage=best.candidate.within_shrinkage,
        total_shrinkage=best.candidate.total_shrinkage,
    )
    identity = best.candidate.identity.model_copy(update={"calibration": calibrate(best)})
    manifest = manifest.model_copy(update={"identity": identity})
    with tempfile.TemporaryDirectory() as draft:
        unset = seal_bundle(draft, manifest=manifest, encoder=encoder, background=background, card=_DRAFT)
        policy = development_policy(unset, pool.policy_part(), seed=recipe.seed)
    card = write_card(
        manifest,
        parameters=count_parameters(network),
        steps=trained.steps,
        best_step=trained.best_step,
        development_eer=trained.best_eer,
        parity=parity,
        identities=measured,
        policy=policy,
    )
    return seal_bundle(
        bundle,
        manifest=manifest,
        encoder=encoder,
        background=background,
        card=card,
        policy=policy.model_dump_json(indent=2).encode(),
    )


def embed_corpus(
    encoder: Encoder, corpus: Corpus, progress: Progress = lambda *_: None
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[str]]:
    """Embeddings (N, D), person index (N,) and corpus name of every usable sample."""
    index = {person: number for number, person in enumerate(corpus.people)}
    prepared, labels, names = [], [], []
    for number, row in enumerate(corpus.rows, start=1):
        progress("embed", number, len(corpus))
        try:
            prepared.append(encoder.prepare(row.load()))
        except (SampleError, OSError):
            continue
        labels.append(index[row.person])
        names.append(row.person.partition("/")[0])
    if not prepared:
        raise TrainingError(f"no sample of {corpus.name} can be read", field="corpus")
    embeddings = encoder.embed_prepared(np.stack(prepared)).astype(np.float64)
    return embeddings, np.array(labels, np.int64), names


def _embedding_size(network: nn.Module, shape: tuple[int, int, int]) -> int:
    with torch.no_grad():
        return int(network(torch.zeros(2, *shape)).shape[1])


def _uses(pool: Pool) -> list[CorpusUse]:
    uses = []
    for corpus in pool.corpora:
        trained = _use(corpus, "training", pool.people[Role.TRAINING])
        held = _use(corpus, "development", pool.people[Role.BACKGROUND] + pool.people[Role.POLICY])
        uses += [use for use in (trained, held) if use.people]
    uses += [_use(corpus, "development", _prefixed(corpus)) for corpus in pool.cohort]
    return uses


def _use(corpus: Corpus, role: Literal["training", "development"], people: Sequence[str]) -> CorpusUse:
    own = set(people) & set(_prefixed(corpus))
    samples = sum(f"{corpus.name}/{row.person}" in own for row in corpus.rows)
    return CorpusUse(name=corpus.name, digest=corpus.digest, people=len(own), samples=samples, role=role)


def _prefixed(corpus: Corpus) -> list[str]:
    return [f"{corpus.name}/{person}" for person in corpus.people]
