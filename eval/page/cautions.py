"""What a reader must know before trusting the rates: the notices above the report's summary and in the terminal."""

from collections.abc import Iterator

from eval.page.sentences import group_name
from eval.page.wording import KIND_TITLES, SPACE, interval, level, lowest_supported_far, percent
from eval.results.kind_results import KindResults
from eval.results.results import Results
from eval.trials import TrialKind

WORTH_A_WARNING = 2.0
"""A group with this many times the errors of another one is pointed out above everything else."""


def warnings(results: Results) -> Iterator[str]:
    """One or two sentences each, the gravest first."""
    blocks = results.blocks
    yield from _about_the_samples(results)
    for kind, block in blocks.items():
        yield from _thin_evidence(kind, block)
    if any(block.trials.people is None for block in blocks.values()) and results.scale is None:
        yield (
            "The scores do not say whose they are, so the intervals take every trial as independent. "
            "Where one person gave several, they are too short."
        )
    for kind, block in blocks.items():
        yield from _broken_policy(results, kind, block)
    for kind, block in blocks.items():
        yield from _unequal_groups(kind, block)
    if blocks and not any(block.at_development or block.at_policy for block in blocks.values()):
        yield (
            "Every threshold here was chosen on the very trials it is reported for (a posteriori). The rates are fair "
            "for comparing models and optimistic as a promise; thresholds set on development people would give one."
        )


def _about_the_samples(results: Results) -> Iterator[str]:
    corpus, failures = results.corpus, results.failures
    if corpus and corpus.used_in_making_the_model:
        yield (
            f"This corpus was used in the model's {corpus.used_in_making_the_model}. "
            "The rates below flatter the model; they are not those of a test."
        )
    if corpus and failures and failures.samples:
        yield (
            f"{failures.samples:,} of {corpus.samples:,} samples could not be acquired. As probes they count "
            "as rejected, and the rates include them."
        )
    if failures and failures.people_failed:
        yield (
            f"{failures.people_failed:,} of {failures.people_attempted:,} people failed to enroll. They are in neither "
            "FAR nor FRR; GFAR and GFRR hold them."
        )


def _thin_evidence(kind: TrialKind, block: KindResults) -> Iterator[str]:
    if all(row.beyond_evidence for row in block.frr_at_far):
        yield (
            f"{KIND_TITLES[kind]}: {block.trials.impostor_comparisons:,} distinct comparisons are too few for any rate "
            f"asked for. They show false-accept rates from {percent(lowest_supported_far(block))} up, and what is "
            "stated below that may be far off."
        )
    elif block.at_development and all(row.beyond_evidence for row in block.at_development):
        yield (
            f"{KIND_TITLES[kind]}: the development people are too few for any of the thresholds they set, "
            "so the rates at those thresholds may not hold elsewhere."
        )


def _broken_policy(results: Results, kind: TrialKind, block: KindResults) -> Iterator[str]:
    """Where the interval of a FAR lies above what the policy aimed at, for the impostors that it was made against."""
    policy = results.bundle.policy
    missed = [row for row in block.at_policy if not row.beyond_evidence and row.achieved_far.low > row.target_far]
    if policy and policy.impostor == kind.value and missed:
        row = min(missed, key=lambda row: row.target_far)
        yield (
            f"The bundle’s policy does not hold here: its threshold for FAR {level(row.target_far)} lets "
            f"{percent(row.achieved_far.value)} through (95{SPACE}% interval {interval(row.achieved_far)}). Set a "
            "policy on people of this kind."
        )


def _unequal_groups(kind: TrialKind, block: KindResults) -> Iterator[str]:
    for column in block.groups:
        worst = max(column.frr_ratio or 1.0, column.far_ratio or 1.0)
        if worst >= WORTH_A_WARNING and not column.beyond_evidence:
            yield (
                f"Error rates differ between groups: by {group_name(column.column)}, up to {worst:.1f} times at FAR "
                f"{level(column.far)} ({KIND_TITLES[kind].lower()})."
            )
