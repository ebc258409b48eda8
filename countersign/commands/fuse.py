"""`countersign eval fuse`: what face and signature gain together, from the scores of each."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.evaluation_options import print_paths
from countersign.commands.outputs import require_folder
from countersign.commands.repeat import command_line
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from rich.console import Console

    from encode.sample import Modality
    from eval.fusion import FusionResults
    from eval.plans.protocol import Protocol
    from eval.trials import ScoreTable


def fuse(
    faces: Annotated[
        str,
        typer.Argument(
            help="Face scores: scores.parquet or its folder; with --face-bundle, a corpus.", show_default=False
        ),
    ],
    signatures: Annotated[
        str,
        typer.Argument(
            help="Signature scores: scores.parquet or its folder; with --signature-bundle, a corpus.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for fusion.json; made if need be.", show_default=False)],
    pairings: Annotated[int, typer.Option(min=1, help="Random pairings of people.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first pairing; the others follow.")] = 0,
    same_people: Annotated[
        bool, typer.Option("--same-people", help="Pair people of the same name instead: nobody is chimeric.")
    ] = False,
    face_bundle: Annotated[
        Path | None, typer.Option(help="Measure this bundle on the face corpus first.", show_default=False)
    ] = None,
    signature_bundle: Annotated[
        Path | None, typer.Option(help="Measure this bundle on the signature corpus first.", show_default=False)
    ] = None,
    references: Annotated[int, typer.Option(min=1, help="Samples that enroll a person, with a bundle.")] = 5,
    draws: Annotated[int, typer.Option(min=1, help="Enrolments per person, with a bundle.")] = 10,
) -> None:
    """Compare face alone, signature alone and both on the same trials, and write fusion.json.

    Faces and signatures of different corpora make chimeric people: the face of one with the signature of another.

    Exit codes: 0 measured, 3 corpus or option unusable, 6 bundle, 8 cannot write, 9 no scores, or too few for any rate.
    """
    from rich.console import Console

    from encode.sample import Modality
    from eval.fusion import FUSION, write_fusion
    from eval.fusion import fuse as measure
    from eval.plans.protocol import Protocol

    with typed_exit():
        require_folder(out)
        protocol = Protocol(references=references, draws=draws, seed=seed)
        of_faces, face_name = _scores(faces, face_bundle, Modality.FACE, protocol)
        of_signatures, signature_name = _scores(signatures, signature_bundle, Modality.SIGNATURE, protocol)
        results = measure(
            of_faces,
            of_signatures,
            names=(face_name, signature_name),
            seeds=None if same_people else range(seed, seed + pairings),
            command=command_line(
                *("countersign", "eval", "fuse", faces, signatures),
                out=out,
                pairings=pairings,
                seed=seed,
                face_bundle=face_bundle,
                signature_bundle=signature_bundle,
                references=references,
                draws=draws,
                same_people=same_people,
            ),
        )
        written = write_fusion(results, out / FUSION)
    console = Console()
    print_fusion(console, results)
    print_paths(console, [written])


def _scores(named: str, bundle: Path | None, modality: "Modality", protocol: "Protocol") -> "tuple[ScoreTable, str]":
    """The scored trials, and what to call them."""
    if bundle is None:
        from eval.files.score_file import read_scores, score_path

        path = score_path(Path(named))
        return read_scores(path), path.parent.name
    from encode.errors import WrongModality
    from enroll.stores.memory import MemoryStore
    from eval.corpora.spec import open_corpus
    from eval.plans.protocol import IMPOSTOR_SAMPLES
    from eval.scoring import score_corpus
    from verify.model import load_model
    from verify.verifier import Verifier

    model = load_model(bundle)
    if model.modality is not modality:
        raise WrongModality(
            f"the bundle reads {model.modality.value} samples", field=f"{modality.value}_bundle", fix="swap the bundles"
        )
    people = open_corpus(named)
    verifier = Verifier({modality: model}, MemoryStore())
    protocol = replace(protocol, impostor_samples=IMPOSTOR_SAMPLES[modality])
    return score_corpus(people, verifier, modality, protocol).table, people.name


def print_fusion(console: "Console", results: "FusionResults") -> None:
    """A table for each kind of impostor: FRR at each FAR and the EER, of each modality alone and of both."""
    from rich.table import Table

    from eval.fusion import FARS, SYSTEMS
    from eval.page.wording import interval, level, percent

    titles = {
        "random": "Zero-effort impostors: own face and own signature",
        "skilled": "Forgers: own face, skilled forgery of the signature",
    }
    people = results.pairings[0].people
    if results.chimeric:
        console.print(
            f"{people} chimeric people: faces of {results.faces} with signatures of {results.signatures}, "
            f"{len(results.pairings)} pairing{'s' * (len(results.pairings) != 1)}",
            highlight=False,
            markup=False,
        )
    for kind, title in titles.items():
        block = getattr(results, kind)
        if block is None:
            continue
        counts = getattr(results.pairings[0], kind).fused.trials
        console.print(
            f"\n[bold]{title}[/bold]: {people} people, {counts.genuine:,} genuine and {counts.impostor:,} impostor "
            f"trials{' a pairing' if len(results.pairings) > 1 else ''}"
        )
        table = Table(show_lines=True)
        table.add_column("95 % interval below")
        for heading in (*(f"FRR at FAR {level(far)}" for far in FARS), "EER"):
            table.add_column(heading, justify="right", no_wrap=True)
        marked = False
        for system in SYSTEMS:
            row = getattr(block, system)
            rates = [(point.frr, " †" if point.beyond_evidence else "") for point in row.frr_at_far]
            marked |= any(mark for _, mark in rates)
            cells = [f"{percent(rate.value)}{mark}\n{interval(rate)}" for rate, mark in [*rates, (row.eer, "")]]
            table.add_row("both" if system == "fused" else f"{system} alone", *cells)
        console.print(table)
        if marked:
            console.print("† fewer impostor comparisons than the rule of 30 asks for")
