"""What fusion gains: the rates of face alone, signature alone and both, on the same trials.

    accept  iff  LLR_face + LLR_signature >= threshold

Thresholds are chosen after the fact, as in `eval.measures.rates`. Every pairing of people has intervals by person;
where there are several, the summary states the mean over pairings, and as its interval the lowest and the highest end
of theirs: longer than any one of them, because pairings share their samples and more pairings are no new people.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from encode.errors import TrialsError
from eval.chimeric import FusedTrials, chimeric_pairing, own_pairing, pair_trials
from eval.files.writing import writing
from eval.measures.rates import measure
from eval.progress import track
from eval.resampling.bootstrap import DEFAULT_REPLICATES, bootstrap
from eval.results.counted_rate import Count
from eval.results.kind_results import KindResults
from eval.trials import IMPOSTOR_KINDS, ScoreTable, TrialKind
from verify.policy import Digest, Fraction, Rate

FUSION = "fusion.json"
"""What the results are called in a folder."""

FARS = (0.01, 0.001)
SYSTEMS = ("face", "signature", "fused")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Systems(_Part):
    """One kind of impostor, as each system fares against it."""

    face: KindResults
    signature: KindResults
    fused: KindResults


class PairingResults(_Part):
    """One pairing of people."""

    seed: Annotated[int | None, Field(description="absent where nobody is chimeric")] = None
    people: Annotated[int, Field(ge=2)]
    random: Systems
    skilled: Systems | None = None


class FrrAtFar(_Part):
    far: Fraction
    frr: Rate
    beyond_evidence: bool


class Summary(_Part):
    """Means over pairings, with the lowest and highest end of their intervals."""

    frr_at_far: tuple[FrrAtFar, ...]
    eer: Rate


class SystemSummaries(_Part):
    face: Summary
    signature: Summary
    fused: Summary


class FusionResults(_Part):
    """The whole of fusion.json."""

    version: Literal[1] = 1
    chimeric: Annotated[bool, Field(description="whether faces and signatures come from different people")]
    faces: Annotated[str, Field(description="what the face scores are of")]
    signatures: Annotated[str, Field(description="what the signature scores are of")]
    face_model: Digest
    signature_model: Digest
    interval: Annotated[str, Field(description="of zero-effort impostors; who forged is not known")]
    replicates: Count
    random: SystemSummaries
    skilled: SystemSummaries | None = None
    pairings: tuple[PairingResults, ...]
    command: str = ""

    def to_json(self) -> str:
        """The text of fusion.json; blocks that do not exist are left out."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"


def fuse(
    faces: ScoreTable,
    signatures: ScoreTable,
    *,
    names: tuple[str, str],
    seeds: Sequence[int] | None,
    chimeric: bool | None = None,
    replicates: int = DEFAULT_REPLICATES,
    command: str = "",
) -> FusionResults:
    """Measure both tables alone and together.

    Parameters
    ----------
    names : of the corpora, faces first.
    seeds : one random pairing each; None pairs people of the same name, once.
    chimeric : whether faces and signatures come from different people; by default as `seeds` tell.

    Raises
    ------
    TrialsError : fewer than two people can be paired, or a rate cannot be computed.
    """
    wanted = [None] if seeds is None else list(seeds)
    pairs = track(wanted, len(wanted), "Measuring pairings of people")
    measured, methods = zip(*(_measured(faces, signatures, seed, replicates) for seed in pairs), strict=True)
    forged = [pairing.skilled for pairing in measured if pairing.skilled is not None]
    return FusionResults(
        chimeric=seeds is not None if chimeric is None else chimeric,
        faces=names[0],
        signatures=names[1],
        face_model=faces.model_digest,
        signature_model=signatures.model_digest,
        interval=methods[0],
        replicates=replicates,
        random=_summaries([pairing.random for pairing in measured]),
        skilled=_summaries(forged) if forged else None,
        pairings=measured,
        command=command,
    )


def write_fusion(results: FusionResults, path: Path) -> Path:
    """Write fusion.json to `path`, its folder made if need be. Raises ConfigError if it cannot be written."""
    with writing(path.parent, str(path)):
        path.write_text(results.to_json(), encoding="utf-8")
    return path


def _measured(
    faces: ScoreTable, signatures: ScoreTable, seed: int | None, replicates: int
) -> tuple[PairingResults, str]:
    """One pairing, of people of one name where `seed` is None, at random otherwise; and how intervals were made."""
    pairing = own_pairing(faces, signatures) if seed is None else chimeric_pairing(faces, signatures, seed)
    trials = pair_trials(faces, signatures, pairing, seed or 0)
    if TrialKind.RANDOM not in trials:
        raise TrialsError("the people paired have no random trials of both modalities", fix="measure on more people")
    found = {
        kind: _systems(trials[TrialKind.GENUINE], trials[kind], seed or 0, replicates)
        for kind in IMPOSTOR_KINDS
        if kind in trials
    }
    blocks = {kind.value: systems for kind, (systems, _) in found.items()}
    people = len(trials[TrialKind.GENUINE].fused.claimed)
    return PairingResults(seed=seed, people=people, **blocks), found[TrialKind.RANDOM][1]


def _systems(genuine: FusedTrials, impostor: FusedTrials, seed: int, replicates: int) -> tuple[Systems, str]:
    """Every system's rates, and how the intervals of both together were made."""
    found, method = {}, ""
    for system in SYSTEMS:
        own, other = getattr(genuine, system), getattr(impostor, system)
        resampled = bootstrap(own, other, replicates=replicates, seed=seed)
        found[system] = measure(own, other, resampled, fars=FARS)
        method = resampled.method
    return Systems(**found), method


def _summaries(pairings: Sequence[Systems]) -> SystemSummaries:
    return SystemSummaries(
        **{system: _summary([getattr(systems, system) for systems in pairings]) for system in SYSTEMS}
    )


def _summary(pairings: Sequence[KindResults]) -> Summary:
    return Summary(
        frr_at_far=tuple(
            FrrAtFar(
                far=far,
                frr=_mean(results.frr_at_far[index].frr for results in pairings),
                beyond_evidence=any(results.frr_at_far[index].beyond_evidence for results in pairings),
            )
            for index, far in enumerate(FARS)
        ),
        eer=_mean(results.eer for results in pairings),
    )


def _mean(rates: Iterable[Rate]) -> Rate:
    known = list(rates)
    return Rate(
        value=sum(rate.value for rate in known) / len(known),
        low=min(rate.low for rate in known),
        high=max(rate.high for rate in known),
    )
