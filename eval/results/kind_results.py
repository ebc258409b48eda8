"""One kind of impostor in results.json: what its rates rest on, the rates at thresholds, calibration, groups.

Every rate is `{value, low, high}` with a 95 % interval; a share of trials also carries its counts.
"""

from typing import Annotated, Literal

from pydantic import Field

from eval.results.counted_rate import Count, CountedRate, Part, Score
from verify.policy import Fraction, Rate


class TrialCounts(Part):
    """What the rates of one kind rest on."""

    genuine: Annotated[int, Field(ge=1, description="genuine trials, every draw counted")]
    impostor: Annotated[int, Field(ge=1, description="impostor trials of this kind, every draw counted")]
    people: Annotated[int | None, Field(ge=2, description="people claimed; absent: the scores do not tell")] = None
    genuine_probes: Annotated[int, Field(ge=1, description="distinct samples among the genuine probes")]
    impostor_probes: Annotated[int, Field(ge=1, description="distinct samples among the impostor probes")]
    genuine_comparisons: Annotated[int, Field(ge=1, description="distinct pairs of claimed person and genuine probe")]
    impostor_comparisons: Annotated[int, Field(ge=1, description="distinct pairs of claimed person and impostor probe")]
    genuine_failures: Annotated[int, Field(ge=0, description="genuine trials rejected as failures to acquire")]
    impostor_failures: Annotated[int, Field(ge=0, description="impostor trials rejected as failures to acquire")]


class Threshold(Part):
    """One threshold and both rates there. FMR and FNMR leave failures to acquire out; FAR and FRR hold them."""

    threshold: Score
    fmr: Rate
    fnmr: Rate
    gfar: Annotated[Fraction | None, Field(description="FAR (1 - FTE), where people failed to enroll")] = None
    gfrr: Annotated[Fraction | None, Field(description="FTE + (1 - FTE) FRR, where people failed to enroll")] = None


class OperatingPoint(Threshold):
    """FRR where FAR is at most `far`, at a threshold chosen after the fact on the very trials it is reported for."""

    far: Annotated[Fraction, Field(description="the FAR asked for")]
    threshold_chosen: Literal["a posteriori"] = "a posteriori"
    achieved_far: Annotated[CountedRate, Field(description="FAR of that threshold; never above `far`")]
    frr: Annotated[CountedRate, Field(description="its interval holds the choice of threshold")]
    beyond_evidence: Annotated[bool, Field(description="fewer than 30 / far distinct impostor comparisons")]


class FarAtFrr(Threshold):
    """FAR where FRR is at most the one asked for, at a threshold chosen after the fact."""

    target_frr: Annotated[Fraction, Field(description="the FRR asked for")]
    threshold_chosen: Literal["a posteriori"] = "a posteriori"
    frr: Annotated[CountedRate, Field(description="FRR of that threshold; never above `target_frr`")]
    achieved_far: Annotated[CountedRate, Field(description="its interval holds the choice of threshold")]
    beyond_evidence: Annotated[bool, Field(description="fewer than 30 / target distinct genuine comparisons")]


class PolicyPoint(Threshold):
    """The rates of a threshold that the bundle's policy fixed beforehand on other people."""

    target_far: Fraction
    threshold_chosen: Literal["by policy"] = "by policy"
    achieved_far: CountedRate
    frr: CountedRate
    beyond_evidence: Annotated[bool, Field(description="the policy's own impostor trials are fewer than 30 / target")]


class TransferredPoint(Part):
    """The rates on test people of thresholds that were set on development people, none of whom is a test person."""

    target_far: Fraction
    threshold_chosen: Literal["on development people"] = "on development people"
    thresholds: Annotated[
        tuple[Score, ...], Field(min_length=1, description="one a fold; one where there is one split")
    ]
    achieved_far: CountedRate
    frr: CountedRate
    development_impostor: Annotated[int, Field(ge=1, description="fewest distinct impostor comparisons behind one")]
    beyond_evidence: Annotated[bool, Field(description="those are fewer than 30 / target")]


class ReliabilityBin(Part):
    """Trials whose stated probability of being genuine lies in one interval; both kinds weigh the same in total."""

    low: Fraction
    high: Fraction
    stated: Annotated[Fraction, Field(description="mean probability that the scores state")]
    found: Annotated[Rate, Field(description="share that is genuine, with even prior odds")]
    genuine: Count
    impostor: Count


class Calibration(Part):
    """How honest the scores are as natural-log likelihood ratios; failures to acquire are left out."""

    cllr: Annotated[float, Field(ge=0, description="bits; 0 perfect, 1 says nothing (Brümmer & du Preez 2006)")]
    min_cllr: Annotated[float, Field(ge=0, description="bits, after the best monotone recalibration (PAV)")]
    expected_calibration_error: Annotated[Fraction, Field(description="at even prior odds, over the bins")]
    bins: tuple[ReliabilityBin, ...]


class GroupRates(Part):
    """The people of one group, at the threshold that holds for everybody."""

    group: str
    people: Count
    genuine: Count
    impostor: Count
    frr: CountedRate | None = None
    far: CountedRate | None = None
    far_within: Annotated[
        CountedRate | None, Field(description="FAR of impostors of the same group alone; absent: it is not known")
    ] = None


class GroupColumn(Part):
    """Rates by the values of one `group_*` column of the claimed people, at one threshold for all."""

    column: str
    far: Annotated[Fraction, Field(description="the overall FAR whose a-posteriori threshold is used")]
    threshold: Score
    rows: tuple[GroupRates, ...]
    frr_ratio: Annotated[
        float | None, Field(ge=1, description="highest FRR by lowest of two groups; absent where the lowest is 0")
    ] = None
    far_ratio: Annotated[float | None, Field(ge=1, description="the same of FAR")] = None
    beyond_evidence: Annotated[bool, Field(description="a group has fewer than 30 errors expected at these rates")]


class ThresholdQuantile(Part):
    """How far people's own thresholds lie from the common one, in scores (nats)."""

    share: Annotated[Fraction, Field(description="of people at or below")]
    at_far: Annotated[float, Field(allow_inf_nan=False, description="own threshold at the FAR minus the common one")]
    at_eer: Annotated[float, Field(allow_inf_nan=False, description="own threshold at the EER minus the common one's")]


class PersonThresholds(Part):
    """What a threshold of each person's own would change, set after the fact on that person's impostor trials."""

    far: Annotated[Fraction, Field(description="the FAR asked for: of everybody together, and of each person")]
    threshold: Score
    threshold_chosen: Literal["a posteriori"] = "a posteriori"
    people: Annotated[int, Field(ge=2, description="with the 1 / far impostor trials that an own threshold needs")]
    quantiles: tuple[ThresholdQuantile, ...]
    far_common: Annotated[Rate, Field(description="at the common threshold; like all below, a mean over people")]
    far_own: Annotated[Rate, Field(description="at own thresholds; never above `far`")]
    frr_common: Annotated[Rate, Field(description="at the common threshold")]
    frr_own: Annotated[Rate, Field(description="at own thresholds")]


class FoldAccuracy(Part):
    """Accuracy over the folds of a trial list, each at the threshold that suits all others best (Huang et al. 2007)."""

    accuracy: Annotated[Rate, Field(description="mean over folds; its interval by Student's t, folds independent")]
    standard_error: Annotated[float, Field(ge=0, allow_inf_nan=False, description="of that mean")]
    folds: Annotated[tuple[Fraction, ...], Field(min_length=2, description="accuracy of each fold")]
    thresholds: Annotated[tuple[Score, ...], Field(min_length=2, description="of each fold, set on all others")]


class KindResults(Part):
    """The rates of one kind of impostor."""

    trials: TrialCounts
    eer: Rate
    eer_threshold: Score
    eer_per_person: Annotated[
        Rate | None, Field(description="mean over people of the EER at thresholds of their own")
    ] = None
    auc: Rate
    d_prime: Annotated[
        float | None, Field(description="distance of the mean scores in pooled deviations; absent: no spread")
    ] = None
    frr_at_far: tuple[OperatingPoint, ...]
    far_at_frr: tuple[FarAtFrr, ...] = ()
    at_policy: tuple[PolicyPoint, ...] = ()
    at_development: tuple[TransferredPoint, ...] = ()
    fold_accuracy: Annotated[
        FoldAccuracy | None, Field(description="of a trial list with folds, to compare with literature")
    ] = None
    calibration: Calibration | None = None
    groups: tuple[GroupColumn, ...] = ()
    person_thresholds: Annotated[
        PersonThresholds | None, Field(description="absent: too few impostor trials a person")
    ] = None
