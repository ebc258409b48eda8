"""Before and after, on the same trials: people who are tested in one fold, scored by what was fitted on the others.

    as it was    the bundle with its own background, identity model and calibration
    refitted     the same embeddings, with background and calibration of the customer's people
    adapted      embeddings through the head, with background and calibration of the same people

A bare ONNX file has no background of its own; what it is held against is the refitted one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from encode.errors import TrialsError
from encode.sample import Modality
from enroll.identity import IdentityModel
from eval.plans.protocol import IMPOSTOR_SAMPLES, Protocol, derive
from eval.policies.development_policy import enough_references
from eval.scoring import score
from eval.trials import ScoreTable
from train.adapt.fitting import Chosen, choose_head
from train.adapt.parts import Parts
from train.adapt.rows import Rows, groups, verifier_of
from train.adapt.source import Source
from train.background import blank_background
from train.embedding import Embedded
from train.identity_choice import Measured, calibrate

AS_IT_WAS, REFITTED, ADAPTED = "as it was", "refitted", "adapted"
DRAWS = 5


@dataclass(frozen=True)
class Tested:
    """Scores of everybody who was tested, by system, and the head of each fold."""

    tables: dict[str, ScoreTable]
    chosen: tuple[Chosen, ...]
    references: int


def score_systems(
    source: Source,
    rows: Rows,
    divisions: Sequence[Parts],
    *,
    seed: int,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Tested:
    """Fit and score every fold. Raises TrialsError, TrainingError for too few people or samples."""
    references = enough_references(rows.rows, least=_minimum(source))
    protocol = Protocol(
        references=references,
        draws=DRAWS,
        seed=seed,
        impostors_per_person=None,
        impostor_samples=IMPOSTOR_SAMPLES[source.encode.modality],
    )
    found: dict[str, list[ScoreTable]] = {}
    chosen: list[Chosen] = []
    candidates, unit_norm = source.candidates(), source.manifest.embedding.unit_norm
    for number, parts in enumerate(divisions):
        progress("adapt", number, len(divisions))
        background, tested = rows.of(parts.background), rows.of(parts.tested)
        fitted = choose_head(rows.of(parts.head), background, candidates, unit_norm=unit_norm, seed=seed)
        chosen.append(fitted)
        systems = {
            REFITTED: (tested, identity_of(fitted.alone, background.embedded())),
            ADAPTED: (
                tested.through(fitted.head),
                identity_of(fitted.measured[0], background.through(fitted.head).embedded()),
            ),
        }
        if source.bundle is not None:
            systems = {AS_IT_WAS: (tested, IdentityModel.from_bundle(source.bundle))} | systems
        for name, (samples, identity) in systems.items():
            for people in groups(parts.tested):
                table = _scored(samples.of(people), source, identity, protocol)
                if table is not None:
                    found.setdefault(name, []).append(table)
    progress("adapt", len(divisions), len(divisions))
    if not found:
        raise TrialsError("nobody who is tested has the samples to be enrolled and probed", field="corpus")
    return Tested({name: joined(tables, name) for name, tables in found.items()}, tuple(chosen), references)


def identity_of(measured: Measured, background: Embedded) -> IdentityModel:
    """The identity model that was chosen, calibrated, with the background of these people."""
    spec = measured.candidate.identity.model_copy(update={"calibration": calibrate(measured)})
    return IdentityModel(spec, measured.candidate.background(background))


def joined(tables: Sequence[ScoreTable], name: str) -> ScoreTable:
    """Tables of different people as one; `name` stands for the model's digest."""
    people = tuple(sorted({person for table in tables for person in table.people}))
    samples = tuple(sorted({sample for table in tables for sample in table.samples}))
    person_at = {person: index for index, person in enumerate(people)}
    sample_at = {sample: index for index, sample in enumerate(samples)}
    claims, probes, sources = [], [], []
    for table in tables:
        # One more at the end, which -1 reads: a forger whom nobody knows stays -1.
        persons = np.array([*(person_at[person] for person in table.people), -1], np.int32)
        claims.append(persons[table.claim])
        probes.append(np.array([sample_at[sample] for sample in table.samples], np.int32)[table.probe])
        sources.append(persons[np.full(len(table), -1) if table.source is None else table.source])
    return ScoreTable(
        people=people,
        samples=samples,
        kind=np.concatenate([table.kind for table in tables]),
        scores=np.concatenate([table.scores for table in tables]),
        claim=np.concatenate(claims),
        draw=np.concatenate([table.draw for table in tables]),
        probe=np.concatenate(probes),
        model_digest=name,
        source=np.concatenate(sources),
    )


def _scored(samples: Rows, source: Source, identity: IdentityModel, protocol: Protocol) -> ScoreTable | None:
    """The trials among these people; None where nobody of them has enough samples."""
    modality: Modality = source.encode.modality
    try:
        plan = derive(samples.rows, protocol, samples.acquired.usable)
    except TrialsError:
        return None
    return score(plan, samples.acquired, verifier_of(source.encode, identity), modality, "", quiet=True)


def _minimum(source: Source) -> int:
    return IdentityModel(source.candidates()[0].identity, blank_background(source.vector)).minimum
