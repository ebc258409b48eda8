"""Exit codes of every `countersign` command.

    0    done; for `verify`: the claim was accepted; for `identify`: somebody matches
    1    `verify`: the claim was rejected; `identify`: nobody matches; `health`: not ready
    2    the command line is wrong
    3    an input is at fault: a sample, an id, a corpus
    4    the service is not there, overloaded, out of time, asks to wait, or failed
    5    the present state refuses: unknown person, a repeated request_id, another model's template, no such target FAR
    6    a model bundle cannot be used
    7    the database cannot be used
    8    a setting is unusable, or the address to listen on is taken
    9    training or measuring could not be done
    10   `eval gate`: what was measured does not meet a requirement
    11   access refused: no valid token, or one without the scope or the collection
    12   `migrate`: everybody who can be migrated is; some must be enrolled again
    13   `enroll --from`, `verify --from`: done, but for some of the list, which the report names
    70   an error nobody foresaw
    130  interrupted from the keyboard

Errors go to standard error as one line: ``error: field: what happened (what to do)``.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from encode.errors import (
    AccessError,
    BundleError,
    ConfigError,
    Conflict,
    CorpusError,
    CountersignError,
    DeadlineExpired,
    InputError,
    NotFound,
    ServiceError,
    StateError,
    StoreError,
    TrainingError,
    TrialsError,
    TryLater,
)


class ExitCode(IntEnum):
    """What the shell sees."""

    OK = 0
    REJECTED = 1
    USAGE = 2
    INPUT = 3
    SERVICE = 4
    STATE = 5
    BUNDLE = 6
    STORE = 7
    CONFIG = 8
    TRAINING = 9
    REQUIREMENT = 10
    ACCESS = 11
    REENROLL = 12
    PARTIAL = 13
    INTERNAL = 70
    INTERRUPTED = 130


EXIT_CODES: dict[type[CountersignError], ExitCode] = {
    InputError: ExitCode.INPUT,
    CorpusError: ExitCode.INPUT,
    AccessError: ExitCode.ACCESS,
    TryLater: ExitCode.SERVICE,
    DeadlineExpired: ExitCode.SERVICE,
    ServiceError: ExitCode.SERVICE,
    NotFound: ExitCode.STATE,
    Conflict: ExitCode.STATE,
    StateError: ExitCode.STATE,
    BundleError: ExitCode.BUNDLE,
    StoreError: ExitCode.STORE,
    ConfigError: ExitCode.CONFIG,
    TrialsError: ExitCode.TRAINING,
    TrainingError: ExitCode.TRAINING,
}
"""Each class stands for its subclasses too."""


def exit_code_of(error: CountersignError) -> ExitCode:
    """The exit code of an error: that of its class or of the nearest ancestor in the table."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), ExitCode.INTERNAL)


@contextmanager
def typed_exit(*, as_json: bool = False) -> Iterator[None]:
    """End the command with the error's line and exit code, should the block raise one of the tree's errors.

    With `as_json` it is also written to standard output, as ``{"error": {"reason", "field", "message", "fix"}}``.
    """
    try:
        yield
    except CountersignError as error:
        if as_json:
            told = {"reason": error.reason, "field": error.field, "message": error.message, "fix": error.fix}
            typer.echo(json.dumps({"error": told}))
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(exit_code_of(error)) from error
