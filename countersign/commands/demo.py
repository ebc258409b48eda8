"""`countersign demo`: the whole path from one command, on synthetic people or on a corpus.

draw or read people → start the real service → enroll and verify over gRPC → table → evaluate → report
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from rich.console import Console

    from countersign.demo.conversation import Answer
    from countersign.demo.scene import Scene
    from eval.corpora.corpus import Corpus
    from verify.model import Model

REFERENCES = 5
SAMPLES = 10
GENERATOR = "synthetic-faces"
SYNTHETIC = "synthetic-people"


def demo(
    corpus: Annotated[
        str | None,
        typer.Option(
            help="Real people instead of synthetic ones: att:DIR, olivetti:, folder:DIR …", show_default=False
        ),
    ] = None,
    bundle: Annotated[Path, typer.Option(help="Folder of the sealed bundle to serve.")] = Path("models/face"),
    out: Annotated[Path, typer.Option(help="Folder for the results and the report.")] = Path("demo-out"),
    people: Annotated[int, typer.Option(min=2, max=1000, help="How many people take part.")] = 20,
) -> None:
    """Enroll people, verify genuine and impostor claims over gRPC, then measure the error rates.

    Without a corpus the people are synthetic: drawn from statistics over thousands of faces. Images of a real corpus
    are read where they are and never copied, and templates are gone when the demonstration ends.

    Exit codes: 0 shown, 3 corpus, 4 service, 6 bundle, 8 cannot write, 9 too few people or samples.
    """
    with typed_exit():
        from rich.console import Console

        from countersign.demo.scene import set_scene
        from eval.corpora.spec import open_corpus
        from verify.model import load_models

        # Lines of a table are not folded where nobody has a terminal of a certain width.
        console = Console() if Console().is_terminal else Console(width=110)
        (model,) = load_models([bundle]).values()
        cast = _draw_people(bundle, out, people) if corpus is None else open_corpus(corpus)
        references = min(REFERENCES, model.identity.anchors + model.identity.recent)
        scene = set_scene(cast, model.modality, people, references)
        answers = _converse(console, scene, model, bundle, out, synthetic=corpus is None)
        _print_answers(console, answers, synthetic=corpus is None)
        _measure(console, cast, scene, model, references, bundle, out, _command(corpus, bundle, out, people))
        if corpus is None:
            console.print(
                "\nThe people are synthetic, so these figures show that the parts work together; of real people they "
                "say nothing.\nThe same on real faces: countersign demo --corpus att:DIR",
                soft_wrap=True,
                highlight=False,
            )


def _draw_people(bundle: Path, out: Path, people: int) -> "Corpus":
    from eval.progress import track
    from eval.synthetic import FaceGenerator, read_people, write_people

    beside, here = bundle.parent / GENERATOR, Path("models") / GENERATOR
    generator = FaceGenerator.load(beside if beside.is_dir() else here)
    folder = out / SYNTHETIC
    for _ in track(write_people(generator, folder, people, SAMPLES), people, "draw synthetic people"):
        pass
    return read_people(folder)


def _converse(
    console: "Console", scene: "Scene", model: "Model", bundle: Path, out: Path, *, synthetic: bool
) -> "list[Answer]":
    from countersign.demo.conversation import ask, enroll, target_far
    from countersign.demo.service import running_service
    from eval.progress import track
    from verify.client import Client

    kind = "synthetic people" if synthetic else f"people of {scene.corpus.name}"
    failed = set()
    with running_service(bundle, out / "service.log") as address:
        console.print(f"Service: `countersign serve` on {address}, model {model.name}, SQLite", highlight=False)
        with Client(address) as client:
            enrolled = enroll(client, scene.references)
            for person, problem in track(enrolled, len(scene.references), f"enroll {kind}"):
                if problem:
                    failed.add(person)
                    console.print(f"{person} could not be enrolled: {problem}", markup=False, highlight=False)
            questions = [question for question in scene.questions if question.claim not in failed]
            far = target_far(client, model.modality)
            answers = list(track(ask(client, questions, far), len(questions), "verify claims"))
    console.print("Service: stopped by SIGTERM, exit code 0", highlight=False)
    return answers


def _print_answers(console: "Console", answers: "list[Answer]", *, synthetic: bool) -> None:
    from countersign.demo.table import answer_table, outcome

    title = "Claims of synthetic people (nobody real)" if synthetic else "Claims"
    console.print()
    console.print(answer_table(answers, title, console.width))
    for sentence in outcome(answers):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _measure(
    console: "Console",
    cast: "Corpus",
    scene: "Scene",
    model: "Model",
    references: int,
    bundle: Path,
    out: Path,
    command: str,
) -> None:
    """What `countersign eval run` does, on the people of the demonstration."""
    from countersign.commands.evaluate import print_rates
    from encode.bundle import open_bundle
    from enroll.memory_store import MemoryStore
    from eval.protocol import Protocol
    from eval.run import evaluate
    from verify.verifier import Verifier

    roles = open_bundle(bundle).manifest.roles
    used = {scene.corpus.digest: roles[cast.digest]} if cast.digest in roles else {}
    evaluation = evaluate(
        scene.corpus,
        Verifier({model.modality: model}, MemoryStore()),
        model.modality,
        Protocol(references=references),
        used_in_making=used,
        command=command,
    )
    written = evaluation.write(out)
    print_rates(console, evaluation.results)
    console.print(
        "The policy's target FAR holds where it was measured; `at_policy` in the rates says what it gives here.",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    console.print()
    for label, path in zip(("Rates", "Scores", "Report"), written, strict=True):
        console.print(f"{label + ':':8}{path}", soft_wrap=True, highlight=False, markup=False)


def _command(corpus: str | None, bundle: Path, out: Path, people: int) -> str:
    """The command line that repeats the run."""
    import shlex

    named = [] if corpus is None else ["--corpus", corpus]
    return shlex.join(
        ["countersign", "demo", *named, "--bundle", str(bundle), "--out", str(out), "--people", str(people)]
    )
