"""MODEL_CARD.md, written from the run: nothing in it is typed in by hand.

Model cards follow Mitchell et al. 2019: what it is, what it was trained on, how it was measured, what it is not for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from encode.manifest import Manifest
from encode.sample import Modality
from eval.measures.metrics import equal_error
from train.fusion import Fused
from train.identity_choice import REFERENCES, Measured
from verify.policy import Policy


@dataclass(frozen=True)
class Origin:
    """Where an encoder comes from, in Markdown: what it is, how people were divided, and how it was made."""

    summary: str
    people: str
    making: str


def write_card(
    manifest: Manifest,
    origin: Origin,
    *,
    identities: Sequence[Measured],
    fused: Fused | None = None,
    policy: Policy | None,
) -> str:
    """The card as Markdown."""
    sections = [
        f"# Model card: {manifest.name}",
        origin.summary,
        _corpora(manifest, origin.people),
        origin.making,
        _identity(manifest, identities),
        *([] if fused is None else [_matching(manifest, fused)]),
        _policy(policy),
        _LIMITS[manifest.modality],
    ]
    return "\n\n".join(sections) + "\n"


def seen(shape: tuple[int, ...]) -> str:
    """In words, an encoder's input: (C, H, W) of an image or (C, T) of strokes."""
    match shape:
        case (channels, height, width):
            return f"{height} x {width} {'grey' if channels == 1 else 'colour'}"
        case _:
            return f"{shape[0]} features x {shape[1]} points in time"


def _corpora(manifest: Manifest, people: str) -> str:
    lines = ["## Corpora", "", "| corpus | role | people | samples | terms |", "|---|---|---|---|---|"]
    lines += [f"| {use.name} | {use.role} | {use.people} | {use.samples} | {use.terms} |" for use in manifest.corpora]
    return "\n".join([*lines, "", people])


def _identity(manifest: Manifest, identities: Sequence[Measured]) -> str:
    impostors = "skilled forgeries" if identities[0].skilled else "other people"
    lines = [
        "## Identity model",
        "",
        "Chosen on background people, each corpus scored with a background fitted on the other corpora "
        f"(up to {REFERENCES} references; thresholds a posteriori; impostors: {impostors}). Best of each kind:",
        "",
        "| identity model | EER | FRR at FAR 1 % | genuine / impostor trials |",
        "|---|---|---|---|",
    ]
    seen: set[str] = set()
    for entry in identities:
        if entry.candidate.identity.kind in seen:
            continue
        seen.add(entry.candidate.identity.kind)
        counts = f"{len(entry.genuine):,} / {len(entry.impostor):,}"
        lines.append(f"| {entry.candidate.describe()} | {entry.eer:.2%} | {entry.frr_at_1:.2%} | {counts} |")
    calibration = manifest.identity.calibration
    lines += ["", f"Calibration: llr = {calibration.scale:.4f} · raw {calibration.offset:+.4f}."]
    return "\n".join(lines)


def _matching(manifest: Manifest, fused: Fused) -> str:
    matching = manifest.identity.matching
    weights = {} if matching is None else matching.weights
    eer = equal_error(fused.genuine, fused.impostor).rate
    lines = [
        "## Frame matching",
        "",
        "The score is a weighted sum of logarithms of distances to the references, of embeddings and of warped frames, "
        f"so that a template holds {manifest.embedding.size:,} values a reference. "
        f"Weights fitted on background people ({len(fused.genuine):,} genuine trials, {len(fused.impostor):,} of "
        f"forgeries, half of them made as quick as the writer; EER there {eer:.2%}):",
        "",
        "| part | weight |",
        "|---|---|",
    ]
    return "\n".join(lines + [f"| {name} | {weight:+.4g} |" for name, weight in weights.items()])


def _policy(policy: Policy | None) -> str:
    if policy is None:
        return "## Thresholds\n\nNo policy has been sealed in; `verify` refuses this bundle until one is."
    lines = [
        "## Thresholds",
        "",
        f"Set on {policy.corpus.people} other development people ({policy.trials.genuine:,} genuine and "
        f"{policy.trials.impostor:,} impostor trials, impostors: {policy.impostor}), corpus: {policy.corpus.name}.",
        "",
        "| target FAR | threshold (LLR) | FAR there (95 %) | FRR there (95 %) |",
        "|---|---|---|---|",
    ]
    for row in policy.table:
        far, frr = row.achieved_far, row.frr
        lines.append(
            f"| {row.target_far:.4%} | {row.threshold:.3f} | {far.value:.4%} ({far.low:.4%} to {far.high:.4%}) "
            f"| {frr.value:.2%} ({frr.low:.2%} to {frr.high:.2%}) |"
        )
    lines += [
        "",
        "Error rates on other people and other devices differ: measure them on yours.",
    ]
    return "\n".join(lines)


_LIMITS = {
    Modality.FACE: (
        "## Limits\n\n"
        "- No liveness or presentation-attack detection: a photograph of a photograph is scored like a face.\n"
        "- No face detection: the input is a face crop, or an image with a crop box.\n"
        "- Trained on public figures and laboratory volunteers; error rates by age, sex and skin tone are not known "
        "and must be measured before use on people. Not for surveillance or for decisions without a human appeal."
    ),
    Modality.SIGNATURE: (
        "## Limits\n\n"
        "- A pen trajectory in time is needed, not a picture of a signature; a replayed recording scores at "
        "least as well as the hand that wrote it.\n"
        "- Skilled forgeries of the corpora are by volunteers who practised for minutes; a trained forger may do "
        "better.\n"
        "- Trained on volunteers on a few kinds of tablet; error rates by age, handedness, script and device are not "
        "known and must be measured before use on people. Not for decisions without a human appeal."
    ),
}
