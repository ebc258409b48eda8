"""The house rules that no linter knows: file length, folders, imports by name, and no pickle anywhere."""

import ast
import itertools
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("countersign", "train", "eval", "verify", "enroll", "encode")
FOLDERS = (*PACKAGES, "tests", "benchmarks", "deploy", "proto")
GENERATED = ROOT / "verify" / "v1"
LONGEST = 300  # lines
WHOLE = {"encode/errors.py"}
"""Longer on purpose: one tree of errors, drawn and defined in one place."""

SOURCES = sorted(
    path
    for path in itertools.chain.from_iterable((ROOT / folder).rglob("*") for folder in FOLDERS)
    if path.suffix in {".py", ".proto", ".sh", ".j2", ".yaml"} and GENERATED not in path.parents
)
CODE = [
    path for path in SOURCES if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in (*PACKAGES, "benchmarks")
]


def imported_modules(path: Path) -> list[str]:
    """Every module that the file names in an import statement."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names


def test_the_rules_below_look_at_every_package() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in CODE} >= set(PACKAGES)


def test_no_file_is_too_long_to_hold_one_idea() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST and name not in WHOLE} == {}


def test_every_package_folder_is_installed() -> None:
    """An editable install finds a forgotten sub-package anyway; the wheel and the image do not."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    present = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(listed) == present


def test_every_data_file_is_installed() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    forgotten = []
    for path in itertools.chain.from_iterable((ROOT / package).rglob("*") for package in PACKAGES):
        if path.is_dir() or path.suffix in {".py", ".pyi", ".pyc", ".nbi", ".nbc"}:
            continue
        home = next(parent for parent in path.parents if (parent / "__init__.py").exists())
        wanted = [*patterns.get("*", ()), *patterns.get(".".join(home.relative_to(ROOT).parts), ())]
        if not any(path.relative_to(home).match(pattern) for pattern in wanted):
            forgotten.append(str(path.relative_to(ROOT)))
    assert forgotten == []


def test_every_folder_of_code_is_a_package() -> None:
    bare = {str(path.parent.relative_to(ROOT)) for path in CODE if path.relative_to(ROOT).parts[0] in PACKAGES}
    assert [folder for folder in sorted(bare) if not (ROOT / folder / "__init__.py").exists()] == []


def test_tests_are_no_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_the_wire_contract_is_no_package() -> None:
    assert list((ROOT / "proto").rglob("*.py")) == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path for path in CODE if path.read_bytes().strip() and ast.get_docstring(ast.parse(path.read_bytes())) is None
    ]
    assert silent == []


def test_eval_is_never_imported_as_a_whole() -> None:
    """`import eval.measures.metrics` would bind the name of a builtin."""
    for path in SOURCES:
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Import):
                    assert not [alias.name for alias in node.names if alias.name.split(".")[0] == "eval"], path


@pytest.mark.parametrize("module", ["pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"])
def test_nothing_is_read_or_written_as_pickle(module: str) -> None:
    guilty = [path for path in CODE if module in {name.split(".")[0] for name in imported_modules(path)}]
    assert guilty == []


def test_arrays_and_checkpoints_are_loaded_without_pickle() -> None:
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.keyword) and node.arg in {"allow_pickle", "weights_only"}:
                assert isinstance(node.value, ast.Constant), path
                assert node.value.value is (node.arg == "weights_only"), path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only" in {keyword.arg for keyword in node.keywords}, path
