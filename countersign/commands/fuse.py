"""`countersign eval fuse`: what face and signature gain together, from the scores of each."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from rich.console import Console

    from encode.sample import Modality
    from eval.fusion import FusionResults
    from eval.protocol import Protocol
    from eval.trials import ScoreTable

FUSION = "fusion.json"


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
    from eval.fusion import fuse as measure
    from eval.fusion import write_fusion
    from eval.protocol import IMPOSTOR_SAMPLES, Protocol

    given = dict(locals())
    with typed_exit():
        face_protocol, signature_protocol = (
            Protocol(references=references, draws=draws, seed=seed, impostor_samples=IMPOSTOR_SAMPLES[modality])
            for modality in (Modality.FACE, Modality.SIGNATURE)
        )
        of_faces, face_name = _scores(faces, face_bundle, Modality.FACE, face_protocol)
        of_signatures, signature_name = _scores(signatures, signature_bundle, Modality.SIGNATURE, signature_protocol)
        results = measure(
            of_faces,
            of_signatures,
            names=(face_name, signature_name),
            seeds=None if same_people else range(seed, seed + pairings),
            command=_command(given),
        )
        written = write_fusion(results, out / FUSION)
    console = Console()
    print_fusion(console, results)
    console.print(str(written), soft_wrap=True, highlight=False, markup=False)


def _scores(named: str, bundle: Path | None, modality: "Modality", protocol: "Protocol") -> "tuple[ScoreTable, str]":
    """The scored trials, and what to call them."""
    if bundle is None:
        from eval.score_file import read_scores

        path = Path(named)
        path = path / "scores.parquet" if path.is_dir() else path
        return read_scores(path), path.parent.name
    from encode.errors import WrongModality
    from enroll.memory_store import MemoryStore
    from eval.corpora.spec import open_corpus
    from eval.run import evaluate
    from verify.model import load_model
    from verify.verifier import Verifier

    model = load_model(bundle)
    if model.modality is not modality:
        raise WrongModality(
            f"the bundle reads {model.modality.value} samples", field=f"{modality.value}_bundle", fix="swap the bundles"
        )
    people = open_corpus(named)
    verifier = Verifier({modality: model}, MemoryStore())
    # Of the run on one modality only the scores are wanted, and its intervals would cost most of the time.
    return evaluate(people, verifier, modality, protocol, replicates=1).table, people.name


def _command(given: dict[str, object]) -> str:
    """The command line that repeats the run."""
    import shlex

    words = ["countersign", "eval", "fuse", str(given["faces"]), str(given["signatures"])]
    names = ("out", "pairings", "seed", "face_bundle", "signature_bundle", "references", "draws")
    for name in names:
        if given[name] is not None:
            words += [f"--{name.replace('_', '-')}", str(given[name])]
    return shlex.join([*words, *(["--same-people"] if given["same_people"] else [])])


def print_fusion(console: "Console", results: "FusionResults") -> None:
    """A table for each kind of impostor: FRR at each FAR and the EER, of each modality alone and of both."""
    from rich.table import Table

    from eval.fusion import FARS, SYSTEMS
    from eval.wording import interval, level, percent

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
