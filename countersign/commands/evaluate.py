"""`countersign eval run`: measure a bundle on a corpus and write results.json, scores.parquet and report.html.

`countersign eval fuse`, beside it, is in a module of its own.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands import fuse as fuse_command
from countersign.commands.repeat import command_line
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from rich.console import Console

    from eval.protocol import Protocol
    from eval.results import Results

app = typer.Typer(help="Error rates of a bundle, or of two together, with intervals.", no_args_is_help=True)


class PolicyImpostor(StrEnum):
    """Which impostors a policy's thresholds are set against."""

    RANDOM = "random"
    SKILLED = "skilled"


@app.callback()
def evaluator() -> None:
    """Error rates of a bundle, or of two together, with intervals."""


@app.command()
def run(
    corpus: Annotated[
        str,
        typer.Argument(
            help="Corpus, e.g. att:DIR, lfw:DIR, svc2004:DIR, susig:DIR, sigcomp2009:DIR, folder:DIR or manifest:FILE",
            show_default=False,
        ),
    ],
    bundle: Annotated[Path, typer.Option(help="Folder of the sealed bundle to measure.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to write into; made if need be.")] = Path("runs/evaluation"),
    references: Annotated[int, typer.Option(min=1, help="Samples that enroll a person.")] = 5,
    draws: Annotated[int, typer.Option(min=1, help="Enrolments per person, each with other references.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every choice made.")] = 0,
    reference_pool: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Draw references from a person's first N samples in order only; by default from those that the corpus "
            "offers: the first ten of svc2004, session 1 of susig's visual part, any elsewhere.",
        ),
    ] = None,
    impostors_per_person: Annotated[
        int, typer.Option(min=0, help="Most zero-effort probes against a person in one draw; 0 for all.")
    ] = 1000,
    impostor_samples: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Zero-effort probes of each other person in one draw; 0 for all. By default 1 for signatures, else 0.",
        ),
    ] = None,
    write_policy: Annotated[
        PolicyImpostor | None,
        typer.Option(help="Also write policy.json: the corpus holds development people, thresholds are set on it."),
    ] = None,
    seal_into: Annotated[
        Path | None,
        typer.Option(help="Folder for a copy of the bundle with that policy sealed in.", show_default=False),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the encoder; by default all the process may use.")
    ] = None,
) -> None:
    """Measure a bundle on a corpus.

    Writes results.json (every rate with its interval), scores.parquet (every trial) and report.html.

    Exit codes: 0 measured, 3 corpus or option unusable, 6 bundle, 8 cannot write, 9 too few trials for any rate.
    """
    from dataclasses import replace

    from rich.console import Console

    from encode.bundle import open_bundle, with_policy
    from encode.errors import FieldMissing
    from enroll.memory_store import MemoryStore
    from eval.corpora.spec import open_corpus
    from eval.policy_builder import build_policy
    from eval.protocol import IMPOSTOR_SAMPLES, Protocol
    from eval.run import evaluate
    from eval.trials import TrialKind
    from verify.model import load_model
    from verify.verifier import Verifier

    with typed_exit():
        if seal_into and not write_policy:
            raise FieldMissing("there is no policy to seal", field="write_policy", fix="add --write-policy random")
        protocol = Protocol(
            references=references,
            draws=draws,
            seed=seed,
            reference_pool=reference_pool,
            impostors_per_person=impostors_per_person or None,
            impostor_samples=impostor_samples or None,
        )
        people = open_corpus(corpus)
        opened = open_bundle(bundle)
        if impostor_samples is None:
            protocol = replace(protocol, impostor_samples=IMPOSTOR_SAMPLES[opened.manifest.modality])
        model = load_model(bundle, threads=threads)
        evaluation = evaluate(
            people,
            Verifier({model.modality: model}, MemoryStore()),
            model.modality,
            protocol,
            used_in_making=opened.manifest.roles,
            command=_command(corpus, bundle, out, protocol, write_policy),
        )
        policy = write_policy and build_policy(
            evaluation.table,
            modality=model.modality,
            corpus_name=people.name,
            corpus_digest=people.digest,
            references=references,
            impostor=TrialKind(write_policy.value),
            seed=seed,
        )
        written = list(evaluation.write(out))
        if policy:
            written.append(out / "policy.json")
            written[-1].write_bytes(policy.to_json())
        if policy and seal_into:
            note = (
                f"Those in force are in policy.json, set on {policy.corpus.people} people of {policy.corpus.name} "
                f"({policy.impostor} impostors). Any thresholds stated above are no longer used."
            )
            written.append(with_policy(opened, seal_into, policy.to_json(), note).path)
    console = Console()
    print_rates(console, evaluation.results)
    for path in written:
        console.print(str(path), soft_wrap=True, highlight=False, markup=False)


app.command()(fuse_command.fuse)


def _command(corpus: str, bundle: Path, out: Path, protocol: "Protocol", write_policy: PolicyImpostor | None) -> str:
    """The command line that repeats the run, every choice spelled out."""
    from dataclasses import asdict

    # A limit on impostors that is not there is spelt 0.
    choices = {name: value or 0 if name.startswith("impostor") else value for name, value in asdict(protocol).items()}
    return command_line(
        *("countersign", "eval", "run", corpus),
        bundle=bundle,
        out=out,
        **choices,
        write_policy=write_policy and write_policy.value,
    )


def print_rates(console: "Console", results: "Results") -> None:
    """A short table: FRR at each FAR, and the EER, with intervals."""
    from rich.table import Table

    from eval.trials import TrialKind
    from eval.wording import KIND_TITLES, interval, level, percent, warnings

    for text in warnings(results):
        console.print(f"[yellow]{text}[/yellow]")
    for kind, block in ((TrialKind.RANDOM, results.random), (TrialKind.SKILLED, results.skilled)):
        if block is None:
            continue
        counts = block.trials
        console.print(
            f"\n[bold]{KIND_TITLES[kind]}[/bold]: {counts.people:,} people, {counts.genuine:,} genuine and "
            f"{counts.impostor:,} impostor trials"
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
