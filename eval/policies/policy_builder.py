"""Scores of development people → the policy that the service decides by.

For each target FAR the threshold is the lowest impostor score whose FAR on the development people is at most the target
(`eval.measures.metrics.threshold_at_far`). A target is left out where not even one false accept would be expected, and
the policy itself says of each row it keeps whether the trials suffice (rule of 30). Trials are counted as distinct
comparisons: enrolling the same people with other draws of references adds precision, but no evidence of rare events.

The policy also takes a summary of the scores along, from which the thresholds of several modalities together are
computed where they answer one call (`verify.fused_policy`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from encode.errors import FieldInvalid, TrialsError
from encode.sample import Modality
from eval.measures.rates import points_of
from eval.resampling.bootstrap import DEFAULT_REPLICATES, PersonBootstrap
from eval.trials import IMPOSTOR_KINDS, ScoreTable, TrialKind
from verify.policy import (
    DEFAULT_TARGET_FAR,
    Policy,
    PolicyCorpus,
    PolicyInterval,
    PolicyRow,
    PolicyTrials,
)
from verify.score_summary import summarize

TARGET_FARS = (0.1, 0.05, 0.01, 0.001, 0.0001)
"""What a request may ask for, most lenient first."""


def build_policy(
    table: ScoreTable,
    *,
    modality: Modality,
    corpus_name: str,
    corpus_digest: str,
    references: int,
    impostor: TrialKind = TrialKind.RANDOM,
    target_fars: Sequence[float] = TARGET_FARS,
    replicates: int = DEFAULT_REPLICATES,
    versions: int = 1,
    seed: int = 0,
) -> Policy:
    """The policy of `table`'s model, measured against impostors of one kind.

    Parameters
    ----------
    table : scores of people the model was neither trained on nor will be reported on.
    corpus_name, corpus_digest : whose scores they are.
    references : with how many references each person was enrolled.
    target_fars : in any order; those below one expected false accept are left out.
    versions : how many impostor probes stem from each recording: evidence counts recordings.

    Raises
    ------
    FieldInvalid for a target FAR outside (0, 1); TrialsError for the kind `genuine`, for scores that do not tell who
    was claimed, for missing trials, or if too few impostors remain for any target.
    """
    if impostor not in IMPOSTOR_KINDS:
        raise TrialsError(f"{impostor.value} trials are no impostors")
    for far in target_fars:
        if not 0 < far < 1:
            raise FieldInvalid(f"a target FAR lies between 0 and 1, not at {far:g}", field="target_far")
    genuine, impostors = table.of(TrialKind.GENUINE), table.of(impostor)
    if genuine.is_anonymous or impostors.is_anonymous:
        raise TrialsError(
            "the scores do not tell who was claimed", field="claim", fix="a policy counts people: name them"
        )
    recorded = impostors.comparisons // versions
    supported = [far for far in sorted(set(target_fars), reverse=True) if recorded * far >= 1]
    if not supported:
        raise TrialsError(
            f"{recorded} distinct {impostor.value} impostor comparisons support no target FAR",
            fix="measure on more people",
        )
    bootstrap = PersonBootstrap(genuine, impostors, replicates=replicates, seed=seed)
    points = points_of(genuine, impostors, bootstrap)
    return Policy(
        modality=modality,
        model_digest=table.model_digest,
        created=datetime.now(UTC).replace(microsecond=0),
        corpus=PolicyCorpus(name=corpus_name, digest=corpus_digest, people=int(genuine.claimed.size)),
        impostor="skilled" if impostor is TrialKind.SKILLED else "random",
        references=references,
        trials=PolicyTrials(genuine=genuine.comparisons, impostor=recorded),
        interval=PolicyInterval(method=bootstrap.method, confidence=bootstrap.confidence),
        table=tuple(
            PolicyRow(
                target_far=point.far,
                threshold=point.threshold,
                achieved_far=point.achieved_far.plain,
                frr=point.frr.plain,
            )
            for point in map(points.at_far, supported)
        ),
        default_target_far=DEFAULT_TARGET_FAR if DEFAULT_TARGET_FAR in supported else supported[-1],
        scores=summarize(genuine.scores, impostors.scores),
    )
