"""The command line as a whole: help without heavy imports, one exit code per kind of error, messages that help."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from countersign import main
from countersign.exit_codes import ExitCode, exit_code_of
from encode.errors import BundleIncomplete, CorpusMissing, CountersignError, ServiceUnavailable

HEAVY = ("torch", "torchvision", "onnxruntime", "onnx", "grpc", "sklearn", "matplotlib", "pyarrow", "jinja2", "numpy")
COMMANDS = {
    "init",
    "migrate",
    "template versions",
    "template rollback",
    "template quarantine",
    "token create",
    "token list",
    "token revoke",
    "serve",
    "health",
    "identify",
    "db upgrade",
    "db current",
    "db backup",
    "db restore",
    "db reconcile",
    "db export",
    "db import",
    "keys new",
    "keys rotate",
    "keys prune",
    "collection show",
    "collection set",
    "keys status",
    "enroll",
    "verify",
    "eval fuse",
    "eval all-pairs",
    "eval compare",
    "eval gate",
    "eval policy",
    "eval export",
    "eval scores",
    "eval run",
    "bundle import",
    "bundle show",
    "bundle check",
    "train run",
    "train compare",
    "train adapt",
    "reproduce chopra2005",
    "reproduce bromley1993",
    "demo",
    "audit verify",
    "audit export",
    "receipt key",
    "receipt verify",
}

HELP_OF_ALL = """
    import sys
    from contextlib import suppress
    from countersign.main import run

    for words in sys.argv[1:]:
        sys.argv = ["countersign", *words.split(), "--help"]
        try:
            run()
        except SystemExit as end:
            print("ended", words, end.code)
        heavy = sorted({name.partition(".")[0] for name in sys.modules} & set(%r))
        assert not heavy, f"{words} --help imports {heavy}"
"""


def countersign(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "countersign", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **environment},
    )


def leaves(command: object, words: tuple[str, ...] = ()) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(words)
    else:
        for name, one in inner.items():
            yield from leaves(one, (*words, name))


def test_the_program_has_these_commands() -> None:
    assert set(leaves(get_command(main.app))) == COMMANDS


def test_help_of_every_command_imports_nothing_heavy() -> None:
    program = "\n".join(line.removeprefix("    ") for line in (HELP_OF_ALL % (HEAVY,)).splitlines())
    groups = {" ".join(words.split()[:-1]) for words in COMMANDS}
    asked = sorted(COMMANDS | groups)
    result = subprocess.run(
        [sys.executable, "-c", program, *asked], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert [line for line in result.stdout.splitlines() if line.startswith("ended")] == [
        f"ended {words} 0" for words in asked
    ]
    assert result.stdout.count("Usage:") == len(asked)


@pytest.mark.parametrize(("chosen", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_linear_algebra_gets_one_thread_unless_the_user_says_otherwise(chosen: dict[str, str], expected: str) -> None:
    """Threads that wait for one another made scoring a hundred times slower; numpy reads this when it is imported."""
    program = "import countersign.main, os, sys; print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"
    inherited = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True, env=inherited | chosen
    )
    assert result.stdout.split() == [expected, "False"]


def test_version_is_that_of_the_install() -> None:
    result = countersign("--version")
    assert (result.returncode, result.stdout) == (0, f"countersign {version('countersign')}\n")


def test_the_shell_completes_commands() -> None:
    result = countersign(_COUNTERSIGN_COMPLETE="complete_bash", COMP_WORDS="countersign re", COMP_CWORD="1")
    assert result.stdout.split() == ["receipt", "reproduce"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["frob"], ExitCode.USAGE, r"No such command 'frob'"),
        (["enroll", "ada", "no-such-file.png"], ExitCode.USAGE, r"no-such-file\.png"),
        (["demo", "--people", "1"], ExitCode.USAGE, r"--people"),
        (["demo", "--bundle", "no-such-bundle"], ExitCode.BUNDLE, r"^error: manifest\.json: .*point to the folder"),
        (["eval", "run", "frob:x", "--bundle", "b", "--out", "o"], ExitCode.INPUT, r"^error: corpus: 'frob'"),
        (["serve", "--models", "no-such-bundle", "--database", "memory:"], ExitCode.BUNDLE, r"^error: manifest\.json"),
        (["serve", "--port", "70000"], ExitCode.CONFIG, r"^error: port: "),
        (["verify", "ada", __file__, "--address", "127.0.0.1:1"], ExitCode.SERVICE, r"^error: "),
        (["reproduce", "chopra2005", "--corpus", "att:nowhere"], ExitCode.INPUT, r"^error: there is no folder"),
    ],
    ids=lambda value: " ".join(map(str, value))[:40] if isinstance(value, list) else "",
)
def test_bad_calls_end_with_their_code_and_say_why(
    words: list[str], code: ExitCode, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = countersign(*words)
    assert result.returncode == code, result.stderr
    assert re.search(told, result.stderr, flags=re.MULTILINE), result.stderr
    assert "Traceback" not in result.stderr


def stop(error: BaseException) -> Callable[..., None]:
    def raising(**_: object) -> None:
        raise error

    return raising


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            BundleIncomplete("gone", field="policy.json", fix="seal it"),
            ExitCode.BUNDLE,
            "error: policy.json: gone (seal",
        ),
        (CorpusMissing("nowhere"), ExitCode.INPUT, "error: nowhere\n"),
        (ServiceUnavailable("nobody there"), ExitCode.SERVICE, "error: nobody there\n"),
        (FileNotFoundError(2, "No such file or directory", "a.png"), ExitCode.INPUT, "error: a.png: No such file"),
        (ModuleNotFoundError("x", name="pyarrow.parquet"), ExitCode.CONFIG, "pip install 'countersign[eval]'"),
        (ModuleNotFoundError("x", name="torch"), ExitCode.CONFIG, "pip install 'countersign[train]'"),
        (ModuleNotFoundError("x", name="verify.frob"), ExitCode.INTERNAL, "please report"),
        (OSError(28, "No space left on device"), ExitCode.INTERNAL, "No space left on device"),
        (RuntimeError("a bug"), ExitCode.INTERNAL, "RuntimeError: a bug"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_errors_that_no_command_ended_with_are_told_in_one_place(
    error: BaseException,
    code: ExitCode,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(main, "app", stop(error))
    with pytest.raises(SystemExit) as end:
        main.run()
    assert end.value.code == code
    shown = capsys.readouterr()
    assert told in shown.err
    assert ("Traceback" in shown.err) is (code is ExitCode.INTERNAL)
    assert shown.out == ""


def test_an_interrupt_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()
    app.command()(lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(main, "app", app)
    monkeypatch.setattr(sys, "argv", ["countersign"])
    with pytest.raises(SystemExit) as end:
        main.run()
    assert end.value.code == ExitCode.INTERRUPTED
    assert "Traceback" not in capsys.readouterr().err


def descendants(kind: type[CountersignError]) -> Iterator[type[CountersignError]]:
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


def test_every_error_of_the_tree_has_an_exit_code_of_its_own_kind() -> None:
    codes = {kind: exit_code_of(kind("x")) for kind in descendants(CountersignError)}
    assert len(codes) > 30
    assert ExitCode.INTERNAL not in codes.values()
