"""What the documents tell a reader to type exists, and what exists is in the documents."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from countersign.exit_codes import ExitCode
from enroll.audit.event import Action
from verify.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, flags=re.MULTILINE))

Command = tuple[str, ...]


def quoted_and_indented(text: str) -> list[str]:
    """The pieces of a document that are typed: `inline code`, and the lines of indented and of fenced blocks."""
    fenced = [
        line for block in re.findall(r"```[a-z]*\n(.*?)```", text, flags=re.DOTALL) for line in block.splitlines()
    ]
    rest = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    indented = re.findall(r"^(?: {4}|\t)(.*)$", rest, flags=re.MULTILINE)
    # A command may go on after a backslash.
    joined = re.sub(r"\\\n\s*", "", "\n".join(fenced + indented)).splitlines()
    return [*re.findall(r"`([^`\n]+)`", rest), *joined]


def typed(program: str) -> list[tuple[Path, list[str]]]:
    """Every documented call of the program: the document and the words after the program's name."""
    calls = []
    for path, text in TEXTS.items():
        for piece in quoted_and_indented(text):
            call = re.match(rf"\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?{program}(?: (.*))?$", piece)
            if call:
                calls.append((path, shlex.split((call[1] or "").split(" | ")[0].split(" > ")[0], comments=True)))
    return calls


def command_of(words: list[str], commands: dict[Command, Any]) -> Command:
    """The longest prefix of the words that is a command; of a group called with other words, the one it means."""
    path: Command = ()
    for word in words:
        if (*path, word) not in commands:
            default = getattr(commands[path], "default", None)
            return (*path, default) if default and word != "--help" else path
        path = (*path, word)
    return path


def flags_of(command: Any) -> set[str]:
    return {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}


def test_documented_commands_exist(commands: dict[Command, Any]) -> None:
    calls = typed("countersign")
    assert calls
    for path, words in calls:
        command = command_of(words, commands)
        where = f"{path.name}: countersign {' '.join(words)}"
        if words and not words[0].startswith("-"):
            assert command, where
        known = flags_of(commands[command]) | {"--help"}
        if command == ():
            known |= {"--install-completion", "--show-completion", "--version"}
        assert [word for word in words if word.startswith("--") and word.split("=")[0] not in known] == [], where


def test_every_command_is_documented(commands: dict[Command, Any]) -> None:
    documented = {command_of(words, commands) for _, words in typed("countersign")}
    leaves = {path for path, command in commands.items() if path and not hasattr(command, "list_commands")}
    assert leaves - documented == set()


def test_every_audited_action_is_documented() -> None:
    text = TEXTS[ROOT / "docs" / "audit.md"]
    assert [action.value for action in Action if f"`{action.value}`" not in text] == []


def test_documented_make_targets_exist() -> None:
    calls = typed("make")
    assert calls
    for path, words in calls:
        targets = [word for word in words if "=" not in word and not word.startswith("-")]
        assert set(targets) <= TARGETS, f"{path.name}: make {' '.join(words)}"


def test_every_make_target_says_what_it_does() -> None:
    public = set(re.findall(r"^([a-z0-9-]+):.* ## .+$", MAKEFILE, flags=re.MULTILINE))
    assert TARGETS - public == {"corpus-named"}
    listed = set(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE)[0].split())
    assert listed == TARGETS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_inside_the_project_lead_somewhere(document: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", TEXTS[document], flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target


def test_operations_lists_every_setting_with_its_default() -> None:
    rows = {
        cells[0].strip(" `"): cells[3].strip(" `")
        for cells in (line.strip("|").split("|") for line in TEXTS[ROOT / "docs/operations.md"].splitlines())
        if cells[0].strip(" `").startswith("COUNTERSIGN_")
    }
    assert set(rows) == {f"COUNTERSIGN_{name.upper()}" for name in ServiceSettings.model_fields}
    for name, field in ServiceSettings.model_fields.items():
        if field.default is None:
            continue
        default = field.default if not isinstance(field.default, tuple) else ",".join(map(str, field.default))
        told = rows[f"COUNTERSIGN_{name.upper()}"]
        assert told == (f"{default:g}" if isinstance(default, float) else str(default)), name


def test_operations_lists_every_exit_code() -> None:
    section = TEXTS[ROOT / "docs/operations.md"].partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", section, flags=re.MULTILINE)] == sorted(ExitCode)


def test_the_image_is_told_apart_in_operations() -> None:
    """The settings that the Dockerfile makes are those of the table's column."""
    made = dict(re.findall(r"(COUNTERSIGN_[A-Z_]+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    told = {
        cells[0].strip(" `"): cells[4].strip(" `")
        for cells in (line.strip("|").split("|") for line in TEXTS[ROOT / "docs/operations.md"].splitlines())
        if cells[0].strip(" `").startswith("COUNTERSIGN_") and cells[4].strip(" `")
    }
    assert told == made


def test_no_document_has_a_gap_left_to_fill() -> None:
    documents = [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "models").rglob("*.md"),
    ]
    assert [path.name for path in documents if "@" * 2 in path.read_text()] == []
