"""`countersign demo`: the whole path from one command, on synthetic people or on corpora.

draw or read people → start the real service → enroll and verify over gRPC → tables → evaluate → report
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.repeat import command_line
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from countersign.demo.cast import Cast
    from countersign.demo.conversation import Answer
    from countersign.demo.scene import Scene, Way
    from encode.sample import Modality
    from verify.model import Model

REFERENCES = 5
GENERATOR = "synthetic-faces"
SIGNATURE_MODEL = Path("models/signature")


def demo(
    corpus: Annotated[
        str | None,
        typer.Option(
            help="Faces of real people instead of synthetic ones: att:DIR, olivetti:, folder:DIR …", show_default=False
        ),
    ] = None,
    signatures: Annotated[
        str | None,
        typer.Option(
            help="Signatures of real people: svc2004:DIR, susig:DIR … Paired with the faces at random.",
            show_default=False,
        ),
    ] = None,
    bundle: Annotated[Path, typer.Option(help="Folder of the sealed bundle for faces.")] = Path("models/face"),
    signature_model: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the sealed bundle for signatures. Default: models/signature, if it is there.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results and the report.")] = Path("demo-out"),
    people: Annotated[int, typer.Option(min=2, max=1000, help="How many people take part.")] = 20,
) -> None:
    """Enroll people, verify genuine and impostor claims over gRPC, then measure the error rates.

    Everyone is asked about by face alone, by signature alone, and by both in one call. Without corpora the people are
    synthetic: faces drawn from statistics over thousands, signatures by a model of handwriting. With --corpus alone
    only faces are asked about; with --signatures the people are chimeric. Samples of real corpora are read where they
    are and never copied, and templates are gone when the demonstration ends.

    Exit codes: 0 shown, 3 corpus, 4 service, 6 bundle, 8 cannot write, 9 too few people or samples.
    """
    with typed_exit():
        from rich.console import Console

        from countersign.demo.cast import gather
        from countersign.demo.measurement import measure
        from countersign.demo.scene import set_scene
        from encode.errors import WrongModality
        from encode.sample import Modality
        from verify.model import load_models

        # Lines of a table are not folded where nobody has a terminal of a certain width.
        console = Console() if Console().is_terminal else Console(width=120)
        folders = [bundle, *_signature_folders(corpus, signatures, signature_model)]
        models = load_models(folders)
        if Modality.FACE not in models:
            raise WrongModality("the bundle does not read faces", field="bundle", fix="name it as --signature-model")
        references = {m: min(REFERENCES, model.identity.anchors + model.identity.recent) for m, model in models.items()}
        beside, here = bundle.parent / GENERATOR, Path("models") / GENERATOR
        cast = gather(
            models,
            corpus,
            signatures,
            generators=beside if beside.is_dir() else here,
            out=out,
            people=people,
            references=references,
        )
        scene = set_scene(cast.corpora, people, references)
        answers = _converse(console, cast, scene, models, folders, out)
        _print_answers(console, answers, cast)
        command = command_line(
            *("countersign", "demo"),
            corpus=corpus,
            signatures=signatures,
            signature_model=signature_model,
            bundle=bundle,
            out=out,
            people=people,
        )
        measure(console, cast, scene, models, dict(zip(models, folders, strict=True)), references, out, command)
        if cast.synthetic:
            console.print(
                "\nThe people are synthetic, so these figures show that the parts work together; of real people they "
                "say nothing.\nThe same on real faces: countersign demo --corpus att:DIR"
                + (" --signatures svc2004:DIR" if len(models) > 1 else ""),
                soft_wrap=True,
                highlight=False,
            )


def _signature_folders(corpus: str | None, signatures: str | None, named: Path | None) -> list[Path]:
    """The bundle for signatures, where signatures take part: not with a corpus of faces alone."""
    if named is not None or signatures is not None:
        return [named or SIGNATURE_MODEL]
    return [SIGNATURE_MODEL] if corpus is None and SIGNATURE_MODEL.is_dir() else []


def _converse(
    console: "Console",
    cast: "Cast",
    scene: "Scene",
    models: "Mapping[Modality, Model]",
    folders: list[Path],
    out: Path,
) -> "dict[Way, list[Answer]]":
    """The answers by way of asking."""
    from countersign.demo.conversation import ask, common_far, enroll, offered_fars
    from countersign.demo.service import running_service
    from encode.errors import TargetFarUnavailable
    from eval.progress import track
    from verify.client.client import Client

    answers = {}
    failed = set()
    with running_service(folders, out / "service.log") as address:
        named = " and ".join(model.name for model in models.values())
        console.print(
            f"Service: `countersign serve` on {address}, model{'s' * (len(models) > 1)} {named}, SQLite",
            highlight=False,
        )
        with Client(address) as client:
            enrolled = enroll(client, scene.references)
            for person, problem in track(enrolled, len(scene.references), f"enroll {cast.who.partition(' (')[0]}"):
                if problem:
                    failed.add(person)
                    console.print(f"{person} could not be enrolled: {problem}", markup=False, highlight=False)
            offered = {}
            for way in scene.ways:
                try:
                    offered[way] = offered_fars(client, way)
                except TargetFarUnavailable as error:
                    # A bundle sealed before there was a second modality: each alone can still be shown.
                    console.print(f"Not asked by {' and '.join(way)}: {error}", markup=False, highlight=False)
            far = common_far(offered.values())
            for way in offered:
                questions = [one for one in scene.questions(way) if one.attempt.claim not in failed]
                label = "verify claims" + (f" by {' and '.join(way)}" if len(scene.ways) > 1 else "")
                answers[way] = list(track(ask(client, questions, far), len(questions), label))
    console.print("Service: stopped by SIGTERM, exit code 0", highlight=False)
    return answers


def _print_answers(console: "Console", answers: "dict[Way, list[Answer]]", cast: "Cast") -> None:
    from countersign.demo.side_by_side import attempt_table, count_table, in_full, summary
    from countersign.demo.table import answer_table, outcome

    title = f"Claims of {cast.who}" if cast.synthetic or cast.chimeric else "Claims"
    console.print()
    if len(answers) == 1:
        (asked,) = answers.values()
        console.print(answer_table(asked, title, console.width))
        sentences = list(outcome(asked))
    else:
        console.print(attempt_table(answers, title))
        console.print()
        console.print(count_table(answers))
        sentences = [*in_full(answers), "", *summary(answers)]
    for sentence in sentences:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
