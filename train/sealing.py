"""From a finished encoder to a sealed bundle: background, identity model, calibration, thresholds, card.

Nothing here asks how the encoder came about: trained (`train.seal`), exported elsewhere (`train.foreign`) or adapted
(`train.adapt`). Every step uses what serving uses: background and policy people are embedded by the ONNX file through
the same `Encoder` that the service runs. No torch is needed.
"""

import datetime
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encode.bundle import Bundle, seal_bundle
from encode.encoder import Encoder
from encode.manifest import CorpusUse, EmbeddingSpec, IdentitySpec, Manifest, NetworkSpec
from encode.preprocessing import Preprocessing
from encode.sample import Modality
from encode.stroke_preprocessing import StrokePreprocessing
from eval.policies.development_policy import development_policy
from train.background import blank_background
from train.card import Origin, write_card
from train.embedding import Embedded, Prepared, embed_prepared, prepare_corpus
from train.fusion import Matching, fuse, quickened_forgeries, without_pressure
from train.identity_choice import Candidate, calibrate, choose_identity
from train.people_split import Role
from train.pool import Pool
from train.quickened import with_quickened
from verify.policy import Policy

_DRAFT = "# not finished\n"

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


@dataclass(frozen=True)
class Draft:
    """An encoder as it will be served, and what is to be chosen behind it.

    Attributes
    ----------
    manifest : finished but for identity model, parts and digests.
    encoder : the ONNX file.
    origin : how it came about, for the card.
    candidates : the identity models to choose from.
    seed : of every draw made in choosing.
    matching : how frames are weighed, where they are matched.
    quickened : whether the thresholds must hold against forgeries made as quick as the writer too.
    channels : of the learned frames behind the traces, where rows hold any.
    """

    manifest: Manifest
    encoder: bytes
    origin: Origin
    candidates: Sequence[Candidate]
    seed: int = 0
    matching: Matching | None = None
    quickened: bool = False
    channels: int | None = None


@dataclass(frozen=True)
class Sealed:
    """A bundle, and the background people it was fitted on: as its encoder reads them, and embedded."""

    bundle: Bundle
    prepared: Prepared
    embedded: Embedded


def seal_draft(
    draft: Draft,
    pool: Pool,
    folder: Path,
    *,
    prepared: Prepared | None = None,
    policy: Callable[[Bundle], Policy] | None = None,
    progress: Progress = lambda *_: None,
) -> Sealed:
    """Fit what follows the encoder, and seal at `folder`; nothing is written there before the end.

    Parameters
    ----------
    prepared : the pool's background people where they have been read already.
    policy : the thresholds of the bundle, which is finished but for them; by default set on the pool's policy people.
    """
    manifest, vector = draft.manifest, draft.manifest.embedding.vector
    encode = bare_encoder(manifest, draft.encoder)
    prepared = prepared or prepare_corpus(encode, pool.part(Role.BACKGROUND), progress)
    embedded = embed_prepared(encode, prepared, vector=vector)
    measured = choose_identity(embedded, draft.candidates, seed=draft.seed)
    best = measured[0]
    background = best.candidate.background(embedded)
    identity, fused = best.candidate.identity.model_copy(update={"calibration": calibrate(best)}), None
    if draft.matching is not None:
        quick = quickened_forgeries(prepared, seed=draft.seed)
        hurried, unpressed = embed_prepared(encode, quick, vector=vector), None
        if draft.matching.unpressed:
            bare, bare_quick = (
                embed_prepared(encode, without_pressure(one), vector=vector) for one in (prepared, quick)
            )
            unpressed = (bare, bare_quick)
        fused = fuse(
            *(embedded, hurried, best.candidate, draft.matching),
            seed=draft.seed,
            channels=draft.channels,
            unpressed=unpressed,
        )
        identity = fused.identity
    manifest = manifest.model_copy(update={"identity": identity})
    with tempfile.TemporaryDirectory() as unfinished:
        unset = seal_bundle(unfinished, manifest=manifest, encoder=draft.encoder, background=background, card=_DRAFT)
        thresholds = _on_policy_people(draft, pool, unset) if policy is None else policy(unset)
    card = write_card(manifest, draft.origin, identities=measured, fused=fused, policy=thresholds)
    sealed = seal_bundle(
        folder,
        manifest=manifest,
        encoder=draft.encoder,
        background=background,
        card=card,
        policy=thresholds.model_dump_json(indent=2).encode(),
    )
    return Sealed(sealed, prepared, embedded)


def draft_manifest(
    name: str,
    modality: Modality,
    preprocessing: Preprocessing | StrokePreprocessing,
    embedding: EmbeddingSpec,
    *,
    corpora: Sequence[CorpusUse],
    recipe: Mapping[str, Any],
    network: NetworkSpec | None = None,
) -> Manifest:
    """Of a new encoder, as of today: finished but for identity model, parts and digests."""
    return Manifest(
        format_version=1,
        name=name,
        modality=modality,
        created=datetime.datetime.now(datetime.UTC).date().isoformat(),
        model_digest="0" * 64,
        preprocessing=preprocessing.describe(),
        embedding=embedding,
        identity=IdentitySpec(kind="pooled"),
        corpora=list(corpora),
        recipe=dict(recipe),
        parts={},
        network=network,
    )


def bare_encoder(manifest: Manifest, data: bytes) -> Encoder:
    """The encoder of a bundle that has no background yet. Raises BundleError kinds."""
    blank = blank_background(manifest.embedding.vector_size)
    with tempfile.TemporaryDirectory() as draft:
        return Encoder(seal_bundle(draft, manifest=manifest, encoder=data, background=blank, card=_DRAFT))


def _on_policy_people(draft: Draft, pool: Pool, unset: Bundle) -> Policy:
    people, versions = pool.policy_part(), 1
    if draft.quickened:
        people, versions = with_quickened(people, seed=draft.seed), 2
    return development_policy(unset, people, versions=versions, seed=draft.seed)
