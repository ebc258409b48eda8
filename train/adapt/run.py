"""Frozen encoder and corpora → head → sealed bundle, with a report of what the head is worth."""

import dataclasses
import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encode.bundle import Bundle
from encode.errors import FieldInvalid
from encode.manifest import Manifest
from eval.files.writing import writing
from eval.policies.development_policy import policy_of_scores
from eval.policies.policy_sources import DevelopmentScores
from eval.resampling.bootstrap import DEFAULT_REPLICATES
from eval.verdicts.compare import Comparison, compare
from train.adapt.fitting import Chosen, choose_head
from train.adapt.merged import Merged, merge_head, require_mergeable
from train.adapt.parts import Parts, parts_to_ship, parts_to_test
from train.adapt.rows import Rows, embed_rows
from train.adapt.source import Source, open_source
from train.adapt.systems import ADAPTED, AS_IT_WAS, REFITTED, Tested, score_systems
from train.adapt.verdict import Verdict, verdict
from train.card import Origin, seen
from train.people_split import Role
from train.pool import Pool, open_pool
from train.sealing import Draft, Progress, seal_draft
from verify.policy import Policy

REPORT = "adaptation.json"


@dataclass(frozen=True)
class Adapted:
    """What came of it.

    Attributes
    ----------
    comparison : all systems side by side; verdict : the adapted one against the one that was;
    of_head : against the same encoder with a background of the same people, None where that is what was.
    trained_on : those of the corpora whose people trained the encoder.
    """

    bundle: Bundle
    comparison: Comparison
    verdict: Verdict
    of_head: Verdict | None
    trained_on: tuple[str, ...]
    report: dict[str, Any]

    def write(self, folder: Path) -> tuple[Path, ...]:
        """adaptation.json, comparison.json and comparison.html. Raises ConfigError if they cannot be written."""
        with writing(folder, "the report"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / REPORT).write_text(json.dumps(self.report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return folder / REPORT, *self.comparison.write(folder)


def adapt_bundle(
    encoder: Path,
    specs: Sequence[str],
    folder: Path,
    *,
    preprocessing: Path | None = None,
    name: str | None = None,
    folds: int = 5,
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    command: str = "",
    progress: Progress = lambda *_: None,
) -> Adapted:
    """Fit a head on the frozen encoder, measure it on people it never saw, and seal it at `folder`.

    Parameters
    ----------
    encoder : folder of a bundle, or an ONNX file; then `preprocessing` is the file of `train.foreign_spec`.
    folds : every person is tested once by what was fitted on the people of other folds; 1 tests one part of them.
    name : of the model; by default the source's with -adapted.

    Raises
    ------
    BundleError kinds, CorpusError kinds; TrainingError, TrialsError for too few people or samples.
    """
    if folds < 1:
        raise FieldInvalid(f"folds are one or more, not {folds}", field="folds")
    source = open_source(encoder, preprocessing)
    require_mergeable(source)
    pool = open_pool(specs, modality=source.manifest.modality)
    people = pool.merged.people
    divisions = parts_to_test(people, folds=folds, seed=seed)
    parts = parts_to_ship(people, folds=folds, seed=seed)
    rows = embed_rows(pool.merged, source.encode, source.manifest.modality, source.vector, quiet=True)
    tested = score_systems(source, rows, divisions, seed=seed, progress=progress)
    before = AS_IT_WAS if AS_IT_WAS in tested.tables else REFITTED
    gained = verdict(tested.tables, before, ADAPTED, seed=seed, replicates=replicates)
    of_head = None
    if before != REFITTED:
        of_head = verdict(tested.tables, REFITTED, ADAPTED, seed=seed, replicates=replicates)
    chosen = _fit(source, rows, parts, seed)
    merged = merge_head(source, chosen.head, rows.of(parts.head))
    pool = dataclasses.replace(pool, people=_roles(parts))
    manifest = _manifest(source, pool, chosen, merged, name, folds, seed)
    trained_on = source.trained_on(pool.corpora)
    origin = _origin(source, manifest, chosen, merged, gained, trained_on)
    draft = Draft(manifest, merged.data, origin, source.candidates(), seed)

    def left_out(unset: Bundle) -> Policy:
        scores = dataclasses.replace(tested.tables[ADAPTED], model_digest=unset.model_digest)
        people_of = f"{pool.merged.name} (everybody, each scored by what was fitted on others)"
        return policy_of_scores(
            DevelopmentScores(scores, people_of, pool.merged.digest, tested.references),
            modality=source.manifest.modality,
            seed=seed,
        )

    sealed = seal_draft(draft, pool, folder, policy=left_out if folds > 1 else None, progress=progress)
    comparison = compare(tested.tables, replicates=replicates, seed=seed, command=command, quiet=True)
    report = _report(source, sealed.bundle, tested, divisions, chosen, gained, of_head, folds, seed)
    return Adapted(sealed.bundle, comparison, gained, of_head, trained_on, report | {"trained_on": list(trained_on)})


def _fit(source: Source, rows: Rows, parts: Parts, seed: int) -> Chosen:
    return choose_head(
        rows.of(parts.head),
        rows.of(parts.background),
        source.candidates(),
        unit_norm=source.manifest.embedding.unit_norm,
        seed=seed,
    )


def _roles(parts: Parts) -> dict[Role, tuple[str, ...]]:
    return {
        Role.TRAINING: parts.head,
        Role.BACKGROUND: parts.background,
        Role.POLICY: parts.tested,
        Role.HELD_OUT: (),
    }


def _manifest(
    source: Source, pool: Pool, chosen: Chosen, merged: Merged, name: str | None, folds: int, seed: int
) -> Manifest:
    called = name or f"{source.manifest.name}-adapted"
    return source.manifest.model_copy(
        update={
            "name": called,
            "created": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "corpora": [*source.manifest.corpora, *pool.uses()],
            "recipe": {
                "name": called,
                "adapted": source.manifest.name,
                "model_digest": None if source.bundle is None else source.bundle.model_digest,
                "head": None if chosen.plan is None else chosen.plan.describe(),
                "steps": chosen.steps,
                "folds": folds,
                "seed": seed,
            },
            "network": merged.network,
        }
    )


def _origin(
    source: Source,
    manifest: Manifest,
    chosen: Chosen,
    merged: Merged,
    gained: Verdict,
    trained_on: Sequence[str],
) -> Origin:
    kind, size = manifest.modality.value, manifest.embedding.vector_size
    if chosen.head is None or chosen.plan is None:
        made = "No head that was tried told background people apart better than the encoder alone: there is none."
    else:
        made = (
            f"A head behind the frozen encoder: {chosen.plan.describe()}, {chosen.head.parameters:,} fitted numbers, "
            f"{chosen.steps} steps by contrastive losses on embeddings. Size, weight decay and the moment to stop were "
            f"chosen on background people. Encoder and head as one file differ from the two in turn by at most "
            f"{merged.difference:.1e} of the largest value, at batches of 1, 2 and 16."
        )
    lines = ["| impostors | rate | before | after | difference (95 %) | p (Holm) |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {rate.impostor} | {rate.rate} | {rate.before:.2%} | {rate.after:.2%} | {100 * rate.value:+.2f} "
        f"({100 * rate.low:+.2f} to {100 * rate.high:+.2f}) points | {rate.p_holm:.2g} |"
        for rate in gained.rates
    ]
    number, apart = gained.rates[0].people, "each left out of all that was fitted here"
    warned = f" **People of {', '.join(trained_on)} trained the encoder: rates and thresholds promise too much.**"
    return Origin(
        summary=(
            f"A {kind} encoder, `{source.manifest.name}`, adapted to the people of a corpus: input "
            f"{seen(source.encode.shape)}, embedding of {size} values.\n\n"
            "Intended use: as that of the encoder it was made of, whose terms hold on."
        ),
        people=(
            "The last rows are of the adaptation, those before of the encoder. People are divided by a hash of their "
            f"name: some fitted the head, others the background and the calibration.{warned if trained_on else ''}"
        ),
        making=(
            f"## Adaptation\n\n{made}\n\nMeasured on {number} people, {apart}: **{gained.word}**.\n\n"
            + "\n".join(lines)
        ),
    )


def _report(
    source: Source,
    bundle: Bundle,
    tested: Tested,
    divisions: Sequence[Parts],
    chosen: Chosen,
    gained: Verdict,
    of_head: Verdict | None,
    folds: int,
    seed: int,
) -> dict[str, Any]:
    def of(one: Chosen) -> dict[str, Any]:
        return {"head": None if one.plan is None else one.plan.describe(), "steps": one.steps}

    counts = [
        {"head": len(parts.head), "background": len(parts.background), "tested": len(parts.tested)}
        for parts in divisions
    ]
    return {
        "source": source.manifest.name,
        "model_digest": bundle.model_digest,
        "folds": folds,
        "seed": seed,
        "references": tested.references,
        "people": [part | of(one) for part, one in zip(counts, tested.chosen, strict=True)],
        "shipped": of(chosen),
        "against_before": gained.describe(),
        "against_refitted": None if of_head is None else of_head.describe(),
    }
