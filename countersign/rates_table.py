"""The rates of an evaluation as short tables on the terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from eval.results.kind_results import KindResults
    from eval.results.results import Results


def print_rates(console: "Console", results: "Results") -> None:
    """For each kind of impostor: rates at thresholds set on development people, FRR at each FAR, and the EER."""
    from eval.page.cautions import warnings
    from eval.page.wording import KIND_TITLES

    for text in warnings(results):
        console.print(f"[yellow]{text}[/yellow]")
    for kind, block in results.blocks.items():
        counts = block.trials
        people = f"{counts.people:,} people, " if counts.people else ""
        console.print(
            f"\n[bold]{KIND_TITLES[kind]}[/bold]: {people}{counts.genuine:,} genuine and {counts.impostor:,} impostor "
            "trials"
        )
        if block.at_development:
            _print_transferred(console, block)
        _print_a_posteriori(console, block)
        thin = [row.beyond_evidence for row in block.at_development] + [row.beyond_evidence for row in block.frr_at_far]
        if any(thin):
            console.print("† fewer impostor comparisons than the rule of 30 asks for")


def _print_transferred(console: "Console", block: "KindResults") -> None:
    from rich.table import Table

    from eval.page.wording import interval, level, percent

    table = Table(title="Thresholds set on development people, rates of others", title_justify="left")
    for heading in ("target FAR", "FAR", "95 % interval", "FRR", "95 % interval"):
        table.add_column(heading, justify="right")
    for row in block.at_development:
        far, frr = row.achieved_far, row.frr
        rates = [cell for rate in (far, frr) for cell in (percent(rate.value), interval(rate))]
        table.add_row(level(row.target_far) + _mark(row.beyond_evidence), *rates)
    console.print(table)


def _print_a_posteriori(console: "Console", block: "KindResults") -> None:
    from rich.table import Table

    from eval.page.wording import interval, level, percent

    # Beside thresholds set on others, these must not be mistaken for them.
    title = "Thresholds chosen after the fact" if block.at_development else None
    table = Table(title=title, title_justify="left")
    for heading in ("FAR", "threshold", "FRR", "95 % interval"):
        table.add_column(heading, justify="right")
    for row in block.frr_at_far:
        threshold = f"{row.threshold:.3f}"
        table.add_row(level(row.far) + _mark(row.beyond_evidence), threshold, percent(row.frr.value), interval(row.frr))
    table.add_section()
    table.add_row("EER", f"{block.eer_threshold:.3f}", percent(block.eer.value), interval(block.eer))
    if own := block.eer_per_person:
        table.add_row("EER per person", "each own", percent(own.value), interval(own))
    console.print(table)


def _mark(beyond_evidence: bool) -> str:
    return " †" if beyond_evidence else ""
