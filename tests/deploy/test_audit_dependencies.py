"""The audit of dependencies against a fake advisory service: what stands, what is ignored, what could not be asked."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from audit_dependencies import CLEAN, STANDING, UNREACHED, WRONG, main, pinned, read
from ignored_advisories import ListWrong, read_ignored
from releases import ROOT

TODAY = datetime.now(UTC).date()
SOON, PAST = TODAY + timedelta(days=30), TODAY - timedelta(days=1)
ADVISORY = {
    "id": "PYSEC-2020-1",
    "aliases": ["CVE-2020-1"],
    "summary": "Reads beyond the end",
    "affected": [
        {
            "package": {"name": "pillow", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9.9"}]}],
        }
    ],
}

Audit = Callable[..., int]


class Service(HTTPServer):
    """Speaks the part of OSV's interface that pip-audit asks; `answer` is what it says of pillow, `status` how."""

    answer: object = {}
    status = 200
    asked: set[str]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = set()


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.add(told["package"]["name"])
        body = json.dumps(self.server.answer if told["package"]["name"] == "pillow" else {}).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def ignored(tmp_path: Path) -> Path:
    path = tmp_path / "ignored.toml"
    path.write_text("# nothing\n")
    return path


@pytest.fixture
def audit(service: Service, ignored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """``audit(*options)``: the exit code for two releases, asked of the fake service."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("# two releases\npillow==1.0\nrich==2.0\n")

    def run(*options: str) -> int:
        url = f"http://127.0.0.1:{service.server_port}/v1/query"
        asked = [
            "--vulnerability-service",
            "osv",
            "--osv-url",
            url,
            "--timeout",
            "5",
            "--cache-dir",
            str(tmp_path / "c"),
        ]
        return main(["--constraints", str(constraints), "--ignored", str(ignored), *asked, *options])

    return run


def entry(expires: date, name: str = "PYSEC-2020-1", package: str = "Pillow") -> str:
    return (
        f'[[ignored]]\nid = "{name}"\npackage = "{package}"\nreason = "only read where we never write"\n'
        f"expires = {expires}\n"
    )


def test_clean_is_what_was_asked_about(audit: Audit, service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit() == CLEAN
    assert service.asked == {"pillow", "rich"}
    assert "2 of 2 releases asked about, 0 advisories stand" in capsys.readouterr().out


def test_an_advisory_stands_until_it_is_ignored_with_a_reason_and_an_end(
    audit: Audit, service: Service, ignored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.answer = {"vulns": [ADVISORY]}
    assert audit() == STANDING
    told = capsys.readouterr().err
    assert "pillow 1.0: PYSEC-2020-1, CVE-2020-1; fixed in 9.9.9" in told
    for name in ("PYSEC-2020-1", "CVE-2020-1"):
        ignored.write_text(entry(SOON, name))
        assert audit() == CLEAN
        assert "only read where we never write" in capsys.readouterr().out
    for other in (entry(SOON, "CVE-2020-2"), entry(SOON, package="rich")):
        ignored.write_text(other)
        assert audit() == STANDING
    ignored.write_text(entry(PAST))
    assert audit() == STANDING
    assert "decide anew" in capsys.readouterr().err


def test_an_entry_that_nothing_needs_is_named(audit: Audit, ignored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ignored.write_text(entry(SOON))
    assert audit() == CLEAN
    assert "no longer needed" in capsys.readouterr().out


@pytest.mark.parametrize("failure", ["gone", "failing", "confused"])
def test_a_service_that_cannot_be_asked_is_not_a_clean_answer(
    audit: Audit, service: Service, failure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if failure == "gone":
        service.server_close()
    elif failure == "failing":
        service.status = 503
    else:
        service.answer = "what?"
    assert audit() == UNREACHED
    told = capsys.readouterr()
    assert "0 of 2 releases asked about" in told.out
    assert "NOT CHECKED for advisories: 2 releases" in told.err
    assert audit("--unreached", "warn") == CLEAN
    assert "NOT CHECKED" in capsys.readouterr().err


def test_an_expired_entry_stands_even_where_nothing_can_be_asked(audit: Audit, service: Service, ignored: Path) -> None:
    service.server_close()
    ignored.write_text(entry(PAST))
    assert audit("--unreached", "warn") == STANDING


def test_releases_that_the_service_does_not_know_are_not_clean() -> None:
    """A mirror of the index without advisories makes pip-audit leave everything out, and end with 0."""
    wanted = {"pillow": "1.0", "rich": "2.0", "typer": "3.0"}
    dependencies = [
        {"name": "pillow", "skip_reason": "Dependency not found on PyPI and could not be audited: pillow (1.0)"},
        {"name": "rich", "version": "2.1", "vulns": []},
    ]
    answer = read(json.dumps({"dependencies": dependencies, "fixes": []}), wanted)
    assert set(answer.unknown) == set(wanted)
    assert "not found" in answer.unknown["pillow"]


@pytest.mark.parametrize("printed", ["", "no JSON", "[]", "{}"])
def test_what_is_no_answer_leaves_everything_unknown(printed: str) -> None:
    assert set(read(printed, {"pillow": "1.0"}).unknown) == {"pillow"}


@pytest.mark.parametrize(
    "text",
    [
        "[[ignored]",
        '[[ignored]]\nid = "CVE-1"\n',
        entry(SOON).replace("only read where we never write", " "),
        entry(SOON).replace("only read where we never write", "fine"),
        entry(SOON) + 'severity = "low"\n',
        entry(SOON).replace(str(SOON), f'"{SOON}"'),
        entry(SOON).replace(str(SOON), f"{SOON}T00:00:00Z"),
        entry(TODAY + timedelta(days=800)),
        'ignored = "all"\n',
        'ignore = ["CVE-1"]\n',
    ],
)
def test_a_list_that_is_not_whole_is_refused(audit: Audit, ignored: Path, text: str) -> None:
    ignored.write_text(text)
    with pytest.raises(ListWrong):
        read_ignored(ignored, latest=TODAY + timedelta(days=366))
    assert audit() == WRONG


def test_releases_must_be_pinned(tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text("pillow>=1.0\n")
    with pytest.raises(ValueError, match="no exact release"):
        pinned(path)


def test_the_projects_own_list_and_releases_can_be_used() -> None:
    read_ignored(ROOT / "deploy" / "advisories-ignored.toml", latest=TODAY + timedelta(days=366))
    assert len(pinned(ROOT / "constraints.txt")) > 50
