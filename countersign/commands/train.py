"""`countersign train`: its commands, each in a module of its own; `run` is meant where none is named."""

import typer

from countersign.commands import adapt, train_compare, train_run
from countersign.commands.default_group import DefaultGroup

app = typer.Typer(cls=DefaultGroup, no_args_is_help=True)


@app.callback()
def trainer() -> None:
    """Encoders trained on your own people: sealed, compared, adapted.

    `countersign train RECIPE …` is short for `countersign train run RECIPE …`.
    """


app.command()(train_run.run)
app.command()(train_compare.compare)
app.command()(adapt.adapt)
