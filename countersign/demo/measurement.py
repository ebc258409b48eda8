"""The demonstration's last part: what `countersign eval run` does, on its people, and what fusion gains on them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from countersign.demo.cast import Cast
from countersign.demo.scene import Scene
from encode.sample import Modality

if TYPE_CHECKING:
    from rich.console import Console

    from eval.trials import ScoreTable
    from verify.model import Model


def measure(
    console: "Console",
    cast: Cast,
    scene: Scene,
    models: "Mapping[Modality, Model]",
    bundles: Mapping[Modality, Path],
    references: Mapping[Modality, int],
    out: Path,
    command: str,
) -> None:
    """Error rates of every modality, each in a folder of its own where there are several, and of both together."""
    written: dict[str, Path] = {}
    tables: dict[Modality, ScoreTable] = {}
    for modality in scene.corpora:
        folder = out if len(scene.corpora) == 1 else out / modality.value
        if len(scene.corpora) > 1:
            console.print()
            console.rule(f"{modality.value} alone", align="left")
        tables[modality], paths = _measure_one(
            console, cast, scene, modality, models[modality], bundles[modality], references[modality], folder, command
        )
        of = "" if len(scene.corpora) == 1 else f" ({modality.value})"
        written |= {f"{what}{of}": path for what, path in zip(("Rates", "Scores", "Report"), paths, strict=True)}
    if len(tables) > 1:
        console.print()
        console.rule("both in one decision", align="left")
        written["Fusion"] = _measure_both(console, cast, scene, tables, out, command)
    console.print(
        "The policy's target FAR holds where it was measured; `at_policy` in the rates says what it gives here.\n",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    wide = max(map(len, written)) + 2
    for label, path in written.items():
        console.print(f"{label + ':':{wide}}{path}", soft_wrap=True, highlight=False, markup=False)


def _measure_one(
    console: "Console",
    cast: Cast,
    scene: Scene,
    modality: Modality,
    model: "Model",
    bundle: Path,
    references: int,
    out: Path,
    command: str,
) -> "tuple[ScoreTable, tuple[Path, ...]]":
    from countersign.rates_table import print_rates
    from encode.bundle import open_bundle
    from enroll.stores.memory import MemoryStore
    from eval.plans.protocol import IMPOSTOR_SAMPLES, Protocol
    from eval.run import evaluate
    from verify.verifier import Verifier

    corpus, roles = scene.corpora[modality], open_bundle(bundle).manifest.roles
    role = roles.get(cast.sources[modality])
    evaluation = evaluate(
        corpus,
        Verifier({modality: model}, MemoryStore()),
        modality,
        Protocol(references=references, impostor_samples=IMPOSTOR_SAMPLES[modality]),
        used_in_making={corpus.digest: role} if role else {},
        command=command,
    )
    print_rates(console, evaluation.results)
    return evaluation.table, evaluation.write(out)


def _measure_both(
    console: "Console", cast: Cast, scene: Scene, tables: "Mapping[Modality, ScoreTable]", out: Path, command: str
) -> Path:
    from countersign.commands.fuse import print_fusion
    from eval.fusion import FUSION, fuse, write_fusion

    results = fuse(
        tables[Modality.FACE],
        tables[Modality.SIGNATURE],
        names=(scene.corpora[Modality.FACE].name, scene.corpora[Modality.SIGNATURE].name),
        seeds=None,
        chimeric=cast.chimeric,
        command=command,
    )
    print_fusion(console, results)
    return write_fusion(results, out / FUSION)
