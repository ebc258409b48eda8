"""`countersign eval run`: measure a bundle on a corpus and write results.json, scores.parquet and report.html."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.evaluation_options import Figures, ImpostorKind, ImpostorSamples, SealInto, print_paths
from countersign.commands.outputs import require_folder
from countersign.commands.repeat import command_line
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from encode.bundle import Bundle
    from eval.corpora.corpus import Corpus
    from eval.plans.plan_choice import PlanChoice
    from eval.plans.protocol import Protocol
    from eval.scoring import Acquired


EMBEDDINGS = "embeddings"
"""The reader of files that hold embeddings, which need no encoder."""

WITHOUT_A_SAY = {
    "leave_one_out": ("references", "draws", "write_policy"),
    "trials": ("references", "draws", "reference_pool", "write_policy"),
    "split": ("write_policy",),
}
"""Option → those that it leaves without a say. A policy tells with how many references everybody was enrolled, and is
set on people whom no rate is reported of."""


def run(
    context: typer.Context,
    corpus: Annotated[
        str,
        typer.Argument(
            help="Corpus, e.g. att:DIR, lfw:DIR, svc2004:DIR, susig:DIR, sigcomp2009:DIR, folder:DIR, manifest:FILE or "
            "embeddings:FILE (Parquet or NPY).",
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
    impostor_samples: ImpostorSamples = None,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out",
            help="Probe every sample against a template of the person's other samples, in place of draws.",
        ),
    ] = False,
    trials: Annotated[
        list[Path] | None,
        typer.Option(
            help="Take the trials from a list: one file like LFW's pairs.txt; or two tables, templates first.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Set thresholds on some people and report them on others: column (the manifest's), development=0.5 "
            "(about that share), folds=5, or list (the trial list's folds).",
            show_default=False,
        ),
    ] = None,
    figures: Figures = False,
    write_embeddings: Annotated[
        bool, typer.Option("--write-embeddings", help="Also write embeddings.parquet, to measure again from.")
    ] = False,
    write_policy: Annotated[
        ImpostorKind | None,
        typer.Option(help="Also write policy.json: the corpus holds development people, thresholds are set on it."),
    ] = None,
    seal_into: SealInto = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the encoder; by default all the process may use.")
    ] = None,
) -> None:
    """Measure a bundle on a corpus.

    Writes results.json (every rate with its interval), scores.parquet (every trial) and report.html.

    Exit codes: 0 measured, 3 corpus or option unusable, 6 bundle, 8 cannot write, 9 too few trials for any rate.
    """
    from rich.console import Console

    from countersign.rates_table import print_rates
    from encode.bundle import open_bundle
    from encode.errors import FieldMissing
    from encode.manifest import POLICY
    from enroll.stores.memory import MemoryStore
    from eval.corpora.spec import open_corpus
    from eval.plans.protocol import IMPOSTOR_SAMPLES, Protocol
    from eval.policies.development_policy import require_forgeries
    from eval.policies.policy_builder import build_policy
    from eval.policies.policy_file import save_policy, seal_policy
    from eval.run import evaluate
    from eval.trials import TrialKind
    from verify.model import load_model
    from verify.verifier import Verifier

    with typed_exit():
        if seal_into and not write_policy:
            raise FieldMissing("there is no policy to seal", field="write_policy", fix="add --write-policy random")
        _require_effect(context)
        require_folder(out)
        if seal_into:
            require_folder(seal_into, "seal_into")
        reader, _, file = corpus.partition(":")
        people = None if reader == EMBEDDINGS else open_corpus(corpus, also=(EMBEDDINGS,))
        opened = open_bundle(bundle)
        embedded = None
        if people is None:
            people, embedded = _embedded(file, opened)
        if write_policy is ImpostorKind.SKILLED:
            require_forgeries(people, field="write_policy")
        if impostor_samples is None:
            impostor_samples = IMPOSTOR_SAMPLES[opened.manifest.modality]
        choice = _choice(
            Protocol(
                references=references,
                draws=draws,
                seed=seed,
                reference_pool=reference_pool,
                impostors_per_person=impostors_per_person or None,
                impostor_samples=impostor_samples or None,
            ),
            leave_one_out=leave_one_out,
            trials=trials or [],
            split=split,
        )
        model = load_model(bundle, threads=threads)
        evaluation = evaluate(
            people,
            Verifier({model.modality: model}, MemoryStore()),
            model.modality,
            choice,
            embedded=embedded,
            used_in_making=opened.manifest.roles,
            command=_command(
                corpus,
                bundle,
                choice,
                split=split,
                figures=figures,
                write_embeddings=write_embeddings,
                write_policy=write_policy and write_policy.value,
                out=out,
            ),
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
        written = list(evaluation.write(out, figures=figures, embeddings=write_embeddings))
        if policy:
            written.append(save_policy(policy, out / POLICY))
        if policy and seal_into:
            written.append(seal_policy(opened, policy, seal_into))
    console = Console()
    print_rates(console, evaluation.results)
    print_paths(console, written)


def _require_effect(context: typer.Context) -> None:
    """Raise FieldInvalid for an option that was given, and that another one given leaves without a say."""
    from encode.errors import FieldInvalid

    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    for name, without in WITHOUT_A_SAY.items():
        idle = [other for other in without if name in given and other in given]
        if idle:
            flag, other = (f"--{word.replace('_', '-')}" for word in (name, idle[0]))
            raise FieldInvalid(f"{other} has no say with {flag}", field=idle[0], fix=f"leave {other} or {flag} out")


def _choice(protocol: "Protocol", *, leave_one_out: bool, trials: list[Path], split: str | None) -> "PlanChoice":
    """Which trials the options ask for. Raises FieldInvalid for options that exclude each other."""
    from encode.errors import FieldInvalid
    from eval.plans.plan_choice import PlanChoice, Rule
    from eval.plans.splits import SplitChoice

    if leave_one_out and trials:
        raise FieldInvalid("a trial list leaves nothing to derive", field="leave_one_out", fix="give one of the two")
    rule = Rule.TRIAL_LIST if trials else Rule.LEAVE_ONE_OUT if leave_one_out else Rule.REFERENCES
    return PlanChoice(rule, protocol, files=tuple(trials), split=None if split is None else SplitChoice.parse(split))


def _embedded(file: str, bundle: "Bundle") -> "tuple[Corpus, Acquired]":
    """The corpus that a file of embeddings is, and what was acquired of it. Raises CorpusMissing, CorpusInvalid."""
    from encode.errors import CorpusInvalid
    from eval.corpora.spec import corpus_path
    from eval.files.embedding_file import embedded_corpus

    if not file:
        raise CorpusInvalid("no path is given", field="corpus", fix=f"write {EMBEDDINGS}:PATH")
    return embedded_corpus(corpus_path(file), bundle.manifest)


def _command(corpus: str, bundle: Path, choice: "PlanChoice", **flags: object) -> str:
    """The command line that repeats the run, every choice spelled out."""
    from dataclasses import asdict

    from eval.plans.plan_choice import Rule

    # A limit on impostors that is not there is spelt 0.
    choices = {
        name: value or 0 if name.startswith("impostor") else value for name, value in asdict(choice.protocol).items()
    }
    if choice.rule is Rule.TRIAL_LIST:
        choices = {"seed": choices["seed"]}
    elif choice.rule is Rule.LEAVE_ONE_OUT:
        del choices["references"], choices["draws"]
    listed = [word for file in choice.files for word in ("--trials", str(file))]
    return command_line(
        *("countersign", "eval", "run", corpus, *listed),
        bundle=bundle,
        **choices,
        leave_one_out=choice.rule is Rule.LEAVE_ONE_OUT,
        **flags,
    )
