"""The rates of an evaluation as a short table on the terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from eval.results.results import Results


def print_rates(console: "Console", results: "Results") -> None:
    """A short table: FRR at each FAR, and the EER, with intervals."""
    from rich.table import Table

    from eval.page.cautions import warnings
    from eval.page.wording import KIND_TITLES, interval, level, percent
    from eval.trials import TrialKind

    for text in warnings(results):
        console.print(f"[yellow]{text}[/yellow]")
    for kind, block in ((TrialKind.RANDOM, results.random), (TrialKind.SKILLED, results.skilled)):
        if block is None:
            continue
        counts = block.trials
        people = f"{counts.people:,} people, " if counts.people else ""
        console.print(
            f"\n[bold]{KIND_TITLES[kind]}[/bold]: {people}{counts.genuine:,} genuine and {counts.impostor:,} impostor "
            "trials"
        )
        table = Table()
        for heading in ("FAR", "threshold", "FRR", "95 % interval"):
            table.add_column(heading, justify="right")
        for row in block.frr_at_far:
            mark = " †" if row.beyond_evidence else ""
            table.add_row(level(row.far) + mark, f"{row.threshold:.3f}", percent(row.frr.value), interval(row.frr))
        table.add_section()
        table.add_row("EER", f"{block.eer_threshold:.3f}", percent(block.eer.value), interval(block.eer))
        if own := block.eer_per_person:
            table.add_row("EER per person", "each own", percent(own.value), interval(own))
        console.print(table)
        if any(row.beyond_evidence for row in block.frr_at_far):
            console.print("† fewer impostor comparisons than the rule of 30 asks for")
