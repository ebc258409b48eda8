"""`countersign eval policy`: choose the thresholds that a bundle is to decide by, on development people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.evaluation_options import ImpostorKind, ImpostorSamples, SealInto, print_paths
from countersign.commands.outputs import require_file, require_folder
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from rich.console import Console

    from verify.policy import Policy


def policy(
    bundle: Annotated[Path, typer.Option(help="Folder of the sealed bundle that is to decide.", show_default=False)],
    corpus: Annotated[
        str | None,
        typer.Argument(help="Corpus of development people, e.g. manifest:FILE or folder:DIR.", show_default=False),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            help="Instead of a corpus: scores.parquet of a run on it, or its folder; results.json lies beside it.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("policy.json"),
    impostor: Annotated[
        ImpostorKind | None,
        typer.Option(help="Impostors to set the thresholds against. Default: skilled where there are forgeries."),
    ] = None,
    target_far: Annotated[
        list[float] | None,
        typer.Option(
            help="False-accept rate that a request may name; repeat it for more. Default: 0.1, 0.05, 0.01, 0.001 and "
            "0.0001, as far as one false accept is to be expected."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Only people in this part of the manifest's split; all for everybody. Default: development, where "
            "there is such a part."
        ),
    ] = None,
    references: Annotated[
        int | None,
        typer.Option(min=1, help="Samples that enroll a person. Default: 5, or as many as enough people can give."),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Enrolments per person, each with other references.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every choice made.")] = 0,
    impostor_samples: ImpostorSamples = None,
    seal_into: SealInto = None,
) -> None:
    """Choose a threshold for each target false-accept rate, and write policy.json.

    The people must be none that the model was trained on, and none that its rates are reported on.

    Exit codes: 0 written, 3 corpus or option unusable, 5 scores of another model, 6 bundle, 8 cannot write, 9 too few
    trials for any threshold.
    """
    from rich.console import Console

    from encode.bundle import open_bundle
    from encode.errors import FieldInvalid, FieldMissing
    from eval.corpora.spec import open_corpus
    from eval.plans.protocol import IMPOSTOR_SAMPLES
    from eval.policies.development_policy import development_policy, policy_of_scores
    from eval.policies.policy_builder import TARGET_FARS
    from eval.policies.policy_file import save_policy, seal_policy
    from eval.policies.policy_sources import development_corpus, development_scores
    from eval.trials import TrialKind

    with typed_exit():
        if corpus is not None and scores is not None:
            raise FieldInvalid("a corpus is given and scores too", field="scores", fix="give one of them")
        require_file(out)
        if seal_into is not None:
            require_folder(seal_into, "seal_into")
        for far in target_far or ():
            if not 0 < far < 1:
                raise FieldInvalid(
                    f"a target FAR lies between 0 and 1, not at {far:g}", field="target_far", fix="write 0.01 for 1 %"
                )
        opened = open_bundle(bundle)
        against = None if impostor is None else TrialKind(impostor.value)
        wanted = tuple(target_far or TARGET_FARS)
        if scores is not None:
            chosen = policy_of_scores(
                development_scores(scores, opened, split),
                modality=opened.manifest.modality,
                impostor=against,
                references=references,
                target_fars=wanted,
                seed=seed,
            )
        elif corpus is not None:
            most = IMPOSTOR_SAMPLES[opened.manifest.modality] if impostor_samples is None else impostor_samples or None
            chosen = development_policy(
                opened,
                development_corpus(open_corpus(corpus), opened, split),
                impostor=against,
                references=references,
                draws=draws,
                target_fars=wanted,
                impostor_samples=most,
                seed=seed,
                quiet=False,
            )
        else:
            raise FieldMissing("there is nobody to set thresholds on", field="corpus", fix="give a corpus or --scores")
        written = [save_policy(chosen, out)]
        if seal_into is not None:
            written.append(seal_policy(opened, chosen, seal_into))
    console = Console()
    print_policy(console, chosen, wanted)
    print_paths(console, written)


def print_policy(console: "Console", policy: "Policy", wanted: tuple[float, ...] = ()) -> None:
    """The thresholds with the rates behind them; `wanted` tells which target FARs were asked for."""
    from rich.table import Table

    from eval.page.wording import interval, level, percent

    trials = policy.trials
    console.print(
        f"Set on {policy.corpus.people:,} people of {policy.corpus.name}, enrolled with {policy.references} references:"
        f" {trials.genuine:,} genuine and {trials.impostor:,} {policy.impostor} impostor comparisons",
        highlight=False,
        markup=False,
    )
    table = Table()
    for heading in ("target FAR", "threshold", "FAR there", "95 % interval", "FRR there", "95 % interval"):
        table.add_column(heading, justify="right")
    for row in policy.table:
        table.add_row(
            level(row.target_far) + (" †" if policy.beyond_evidence(row) else ""),
            f"{row.threshold:.3f}",
            *(percent(row.achieved_far.value), interval(row.achieved_far)),
            *(percent(row.frr.value), interval(row.frr)),
        )
    console.print(table)
    console.print(f"A request that names none is decided at {level(policy.default_target_far)}", highlight=False)
    if any(policy.beyond_evidence(row) for row in policy.table):
        console.print("† fewer impostor comparisons than the rule of 30 asks for; decisions there say so")
    left_out = sorted(set(wanted) - set(policy.target_fars), reverse=True)
    if left_out:
        console.print(f"Left out, as not one false accept was to be expected: {', '.join(map(level, left_out))}")
