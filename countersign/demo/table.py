"""The demonstration's answers as a table, and what they come to, where one modality answers."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from countersign.demo.conversation import Answer
from eval.trials import TrialKind

if TYPE_CHECKING:
    from rich.table import Table

WHO = {TrialKind.GENUINE: "genuine", TrialKind.RANDOM: "impostor", TrialKind.SKILLED: "forger's"}

_ROOMY = 96
"""Columns of text from which on the table's own columns get room around them."""


def answer_table(answers: Sequence[Answer], title: str, width: int) -> "Table":
    """One row a question: what was claimed, who it really was, and what the service said; `width` columns of text."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from eval.page.wording import level

    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1) if width >= _ROOMY else 0)
    table.add_column("claim", overflow="fold")
    table.add_column("who really", overflow="fold")
    for heading in ("probability", "LLR", "threshold"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("target\nFAR", justify="right", no_wrap=True)
    table.add_column("decision", no_wrap=True)
    table.add_column("", no_wrap=True)
    for answer in answers:
        attempt, said = answer.question.attempt, answer.response
        figures = ("no answer", "", "", "")
        if said is not None:
            figures = (
                f"{said.probability:.4f}",
                f"{said.log_likelihood_ratio:+.2f}",
                f"{said.threshold:+.2f}",
                level(said.target_far) + ("†" if said.beyond_evidence else ""),
            )
        table.add_row(
            escape(attempt.claim),
            escape(attempt.description),
            *figures,
            "accept" if answer.accepted else "reject",
            "right" if answer.right else "WRONG",
            style="" if answer.right else "bold red",
        )
    return table


def outcome(answers: Sequence[Answer]) -> Iterator[str]:
    """The answers counted, in sentences."""
    for kind, who in WHO.items():
        asked = [answer for answer in answers if answer.question.attempt.kind is kind]
        if asked:
            accepted = sum(answer.accepted for answer in asked)
            yield f"{len(asked)} {who} claims: {accepted} accepted, {len(asked) - accepted} rejected."
    yield from remarks(answers)


def remarks(answers: Sequence[Answer]) -> Iterator[str]:
    """What a reader of the answers must know besides."""
    for problem in sorted({answer.problem for answer in answers if answer.response is None}):
        yield f"No answer, counted as rejected: {problem}"
    if any(answer.response is not None and answer.response.beyond_evidence for answer in answers):
        yield "† The policy was measured on fewer impostor trials than the rule of 30 asks for at this target FAR."
