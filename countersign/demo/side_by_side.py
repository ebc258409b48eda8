"""The same claims decided by face alone, by signature alone, and by both in one call."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from countersign.demo.conversation import Answer
from countersign.demo.scene import Way
from countersign.demo.table import remarks
from eval.trials import TrialKind

if TYPE_CHECKING:
    from rich.table import Table

Answers = Mapping[Way, Sequence[Answer]]
"""Way of asking → the answers; those at one position of every sequence are about the same attempt."""

_KINDS = {
    TrialKind.GENUINE: "genuine",
    TrialKind.RANDOM: "strangers (own face, own signature)",
    TrialKind.SKILLED: "forgers (own face, skilled forgery)",
}


def heading(way: Way) -> str:
    return f"{way[0].value} alone" if len(way) == 1 else "both in one call"


def attempt_table(answers: Answers, title: str) -> "Table":
    """One row an attempt; of every way of asking, the likelihood ratio and the decision. Wrong ones are marked."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    forged = any(row.question.attempt.kind is TrialKind.SKILLED for row in next(iter(answers.values())))
    caption = "A forger shows a face that is not the claimed person's, with a skilled forgery of the signature."
    table = Table(title=title, box=SIMPLE_HEAD, caption=caption if forged else None, caption_justify="left")
    table.add_column("claim", overflow="fold")
    table.add_column("who really", overflow="fold")
    for way in answers:
        table.add_column(f"{way[0].value if len(way) == 1 else 'both'}\nLLR", justify="right", no_wrap=True)
        table.add_column("\ndecision", no_wrap=True)
    for row in zip(*answers.values(), strict=True):
        attempt = row[0].question.attempt
        cells = chain.from_iterable(_cells(answer) for answer in row)
        table.add_row(escape(attempt.claim), escape(attempt.description), *cells)
    return table


def count_table(answers: Answers) -> "Table":
    """How many attempts of each kind were accepted, of how many, each way."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title="Accepted", box=SIMPLE_HEAD)
    table.add_column("")
    for way in answers:
        table.add_column(heading(way), justify="right")
    table.add_row("threshold (LLR)", *(_at(asked) for asked in answers.values()), end_section=True)
    for kind, who in _KINDS.items():
        of_kind = [[a for a in asked if a.question.attempt.kind is kind] for asked in answers.values()]
        if of_kind[0]:
            table.add_row(who, *(f"{sum(a.accepted for a in asked)} of {len(asked)}" for asked in of_kind))
    return table


def in_full(answers: Answers) -> Iterator[str]:
    """A genuine person's and an impostor's fused answer, each modality's share stated; the most telling ones."""
    *alone, (way, fused) = answers.items()
    if len(way) == 1:
        return
    kinds = {answer.question.attempt.kind for answer in fused}
    impostor = TrialKind.SKILLED if TrialKind.SKILLED in kinds else TrialKind.RANDOM
    yield "Two answers to both samples in one call, in full:"
    for kind in (TrialKind.GENUINE, impostor):
        of_kind = [
            (answer, sum(not other[index].right for _, other in alone))
            for index, answer in enumerate(fused)
            if answer.question.attempt.kind is kind and answer.response is not None
        ]
        if of_kind:
            # One where a modality alone errs and both together do not, if there is one.
            telling, _ = max(of_kind, key=lambda pair: (pair[0].right, pair[1]))
            yield from _one_in_full(telling)


def summary(answers: Answers) -> Iterator[str]:
    """What a reader must know besides, over all ways."""
    yield from dict.fromkeys(chain.from_iterable(remarks(asked) for asked in answers.values()))


def _who(answer: Answer) -> str:
    attempt = answer.question.attempt
    if attempt.genuine:
        return "the same person"
    return f"{attempt.really}, a forger" if attempt.kind is TrialKind.SKILLED else attempt.really


def _cells(answer: Answer) -> tuple[str, str]:
    if answer.response is None:
        return "no answer", "reject" if answer.right else "[bold red]reject ✗[/]"
    decision = "accept" if answer.accepted else "reject"
    return f"{answer.response.log_likelihood_ratio:+.2f}", decision if answer.right else f"[bold red]{decision} ✗[/]"


def _at(answers: Sequence[Answer]) -> str:
    from eval.page.wording import level

    said = next((answer.response for answer in answers if answer.response is not None), None)
    if said is None:
        return "no answer"
    return f"{said.threshold:+.2f} at FAR {level(said.target_far)}" + ("†" if said.beyond_evidence else "")


def _one_in_full(answer: Answer) -> Iterator[str]:
    from eval.page.wording import level
    from verify.messages import MODALITY_TO_WIRE
    from verify.v1.verification_pb2 import ModalityStatus

    said = answer.response
    if said is None:
        return
    named = {wire: modality.value for modality, wire in MODALITY_TO_WIRE.items()}
    yield f"{answer.question.attempt.claim} is claimed by {_who(answer)}"
    for part in said.modalities:
        status = ModalityStatus.Name(part.status).removeprefix("MODALITY_STATUS_")
        share = f"{part.log_likelihood_ratio:+8.2f}" if part.HasField("log_likelihood_ratio") else " " * 8
        yield f"  {named[part.modality]:<10} {share}  {status}"
    sign = ">=" if said.log_likelihood_ratio >= said.threshold else "<"
    yield (
        f"  {'together':<10} {said.log_likelihood_ratio:+8.2f}  {sign} {said.threshold:+.2f}, the threshold for FAR "
        f"{level(said.target_far)}: {'accept' if said.accepted else 'reject'}, "
        f"probability {said.probability:.4f}"
    )
