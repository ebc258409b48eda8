"""`countersign eval gate`: pass or fail what was measured, for continuous integration."""

import json
from pathlib import Path
from typing import Annotated

import typer

from countersign.commands.client_options import AsJson
from countersign.exit_codes import ExitCode, typed_exit


def gate(
    results: Annotated[
        Path,
        typer.Argument(
            help="results.json or its folder; fusion.json and comparison.json are read too.", show_default=False
        ),
    ],
    require: Annotated[
        list[str],
        typer.Option(
            help="What must hold, e.g. 'skilled.frr_at_far[0.01] <= 5%'; repeat it for more.", show_default=False
        ),
    ],
    accept_thin_evidence: Annotated[
        bool, typer.Option("--accept-thin-evidence", help="Count rates that too few comparisons stand behind.")
    ] = False,
    accept_training_data: Annotated[
        bool, typer.Option("--accept-training-data", help="Count rates of a corpus that the model was made from.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hold what was measured against requirements; one line each, beginning with PASS or FAIL.

    Paths follow results.json: random.eer, random.eer.high (the upper end of its interval), skilled.frr_at_far[0.01],
    random.at_policy[0.001].achieved_far, random.groups[group_sex].frr_ratio, identification.cmc[1].

    Exit codes: 0 all met, 3 requirement or file unusable, or nothing at that path, 10 a requirement is not met.
    """
    from eval.verdicts.gate import judge, read_measured
    from eval.verdicts.requirement import parse_requirement

    with typed_exit(as_json=as_json):
        requirements = [parse_requirement(text) for text in require]
        document = read_measured(results)
        verdicts = [
            judge(
                document,
                requirement,
                accept_thin_evidence=accept_thin_evidence,
                accept_training_data=accept_training_data,
            )
            for requirement in requirements
        ]
    met = all(verdict.met for verdict in verdicts)
    if as_json:
        typer.echo(json.dumps({"met": met, "verdicts": [verdict.to_json() for verdict in verdicts]}, indent=2))
    else:
        for verdict in verdicts:
            typer.echo(verdict.sentence)
    if not met:
        raise typer.Exit(ExitCode.REQUIREMENT)
