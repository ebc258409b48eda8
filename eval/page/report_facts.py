"""What was measured and how to repeat it, as terms and lines: protocol, counts, failures, split, digests."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from eval.page.wording import interval, percent
from eval.results.results import ProtocolFacts, Results


@dataclass(frozen=True)
class Fact:
    """One entry of a list of facts: a term, its lines, and what is to be copied letter by letter."""

    term: str
    lines: tuple[str, ...]
    code: str = ""


RULES = {
    "references": "references drawn by seed, everything else a probe",
    "leave one out": "leave one out: each sample is a probe once, the person’s others are the references",
    "trial list": "the trials are listed one by one",
    "all versus all": "every template against every sample",
    "scores": "known to whoever made the scores",
}


def subject(results: Results) -> str:
    """Model on data, for titles."""
    if results.corpus:
        return f"{results.bundle.name} on {results.corpus.name}"
    name = results.bundle.name
    if not results.scores:
        return name
    files = " and ".join(results.scores.files)
    # Scores that name no model are called by their file.
    return files if name in (files, PurePath(files).stem) else f"{name} from {files}"


def size(results: Results) -> str:
    """How much was measured, for under the title."""
    if corpus := results.corpus:
        forged = f" ({corpus.forgeries:,} forgeries)" if corpus.forgeries else ""
        return f"{corpus.people:,} people, {corpus.samples:,} samples{forged}"
    if scale := results.scale:
        return f"{scale.templates:,} templates, {scale.samples:,} samples"
    blocks = list(results.blocks.values())
    impostor = sum(block.trials.impostor for block in blocks)
    return f"{blocks[0].trials.genuine:,} genuine and {impostor:,} impostor scores" if blocks else ""


def measured_facts(results: Results) -> Iterator[Fact]:
    """Where the trials came from, what failed, and how intervals were made."""
    protocol = results.protocol
    yield Fact("Trials", tuple(text for text in (_sentence(RULES[protocol.rule]), protocol.note) if text))
    if protocol.rule == "all versus all" and protocol.references:
        yield Fact("Templates", (_templates(protocol),))
    if protocol.references and protocol.rule == "references":
        yield Fact("References per person", (f"{protocol.references}{_pool(protocol)}",))
    if protocol.draws and protocol.rule == "references":
        yield Fact("Draws of references", (f"up to {protocol.draws} per person, seed {protocol.seed}",))
    if protocol.rule in {"references", "leave one out"}:
        yield Fact("Genuine probes", ("all of a person’s samples that are not references",))
        yield Fact("Zero-effort probes", (_zero_effort(protocol),))
        if results.skilled and results.corpus:
            skilled = f"all {results.corpus.forgeries:,} forgeries, each against the person it imitates"
            yield Fact("Skilled probes", (skilled,))
    if scale := results.scale:
        counted = f"{scale.comparisons:,}: {scale.templates:,} templates, {scale.samples:,} samples"
        forged = results.corpus.forgeries if results.corpus else 0
        yield Fact("Comparisons", (counted, "forgeries are left out") if forged else (counted,))
        yield Fact(
            "How scores were kept",
            (
                f"counted in {scale.bins:,} bins, from which a threshold is at most {scale.score_error:.2g} off",
                f"the {scale.exact_tail:,} highest impostor scores one by one, so rates that rest on them are exact",
                f"counts by {scale.groups:,} groups of claimed people, which the intervals resample",
            ),
        )
    if split := protocol.split:
        folds = f" in {split.folds} folds" if split.folds > 1 else ""
        yield Fact(
            "Development and test people",
            (
                f"{split.development_people:,} set the thresholds, {split.test_people:,} are reported on{folds}; "
                "nobody is both",
                _sentence(split.rule),
            ),
        )
    yield from _failures(results)
    method = f"{protocol.interval}, {protocol.replicates:,} resamples" if protocol.replicates > 1 else protocol.interval
    yield Fact("Intervals", (f"{method}; failures: Clopper–Pearson",))


def repeat_facts(results: Results) -> Iterator[Fact]:
    """What exactly was measured with what."""
    yield Fact("Model", (results.bundle.name,), results.bundle.model_digest or "")
    if results.corpus:
        yield Fact("Corpus", (results.corpus.name,), results.corpus.digest)
    if results.scores:
        yield Fact("Score files", results.scores.files, results.scores.digest)
    if policy := results.bundle.policy:
        yield Fact("Policy", (f"set on {policy.corpus}, {policy.impostor} impostors",), policy.id)
    yield Fact("Software", (", ".join(f"{name} {number}" for name, number in results.software.items()),))


def _failures(results: Results) -> Iterator[Fact]:
    failures = results.failures
    if not failures:
        return
    more = ""
    if few := failures.people_too_few_samples:
        more = f"; {few:,} more have too few samples and act as impostors only"
    yield Fact("People claimed", (f"{failures.people_attempted - failures.people_failed:,}{more}",))
    yield Fact(
        "Failures to enroll",
        (
            f"{failures.people_failed:,} of {failures.people_attempted:,} people: "
            f"{percent(failures.to_enroll.value)} ({interval(failures.to_enroll)})",
        ),
    )
    among = f" of {results.corpus.samples:,}" if results.corpus else ""
    yield Fact(
        "Failures to acquire",
        (
            f"{failures.samples:,}{among} samples: "
            f"{percent(failures.to_acquire.value)} ({interval(failures.to_acquire)})",
            *(f"{reason}: {number:,}" for reason, number in failures.by_reason.items()),
        ),
    )


def _pool(protocol: ProtocolFacts) -> str:
    if protocol.reference_pool:
        return f", from the first {protocol.reference_pool} samples in order"
    return f", from what the corpus offers for it: {protocol.reference_rule}" if protocol.reference_rule else ""


def _templates(protocol: ProtocolFacts) -> str:
    if protocol.references == 1:
        return "each sample by itself, which is no probe against its own template"
    most = f"up to {protocol.draws} per person" if protocol.draws and protocol.draws > 1 else "one per person"
    return f"{most}, of {protocol.references} references drawn by seed {protocol.seed}, which are no probes against it"


def _zero_effort(protocol: ProtocolFacts) -> str:
    most = f"at most {protocol.impostors_per_person:,} per person and draw" if protocol.impostors_per_person else ""
    if protocol.impostor_samples == 1:
        kept = "one sample of each other person, drawn anew each time"
    elif protocol.impostor_samples:
        kept = f"{protocol.impostor_samples:,} samples of each other person, drawn anew each time"
    else:
        kept = "other people’s samples" if most else "all samples of all other people"
    return f"{kept}, {most}" if most else kept


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
