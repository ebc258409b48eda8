"""`countersign eval`: its commands, each in a module of its own."""

import typer

from countersign.commands import all_pairs, compare, export, fuse, gate, measure, policy, scores

app = typer.Typer(
    help="Error rates you can check: measured, compared, required, turned into policies.", no_args_is_help=True
)


@app.callback()
def evaluator() -> None:
    """Error rates you can check: measured, compared, required, turned into policies."""


app.command()(measure.run)
app.command()(scores.scores)
app.command()(fuse.fuse)
app.command()(compare.compare)
app.command()(gate.gate)
app.command()(policy.policy)
app.command()(export.export)
app.command("all-pairs")(all_pairs.all_pairs)
