"""The pages in a real browser: wide and narrow, light and dark, on paper.

Every host name leads to a server of the test's own, which notes what is asked for: the page must ask for nothing.
"""

import html as markup
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

MEASURE = Path(__file__).with_name("measure.html")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium found: apt-get install chromium")


class Served:
    """`page` under /page and what measures it under /; `asked` are the paths that were asked for."""

    def __init__(self) -> None:
        self.page = ""
        self.asked: list[str] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.asked.append(f"{self.headers.get('Host', '').split(':')[0]}{self.path}")
                text = {"/": MEASURE.read_text(encoding="utf-8"), "/page": served.page}.get(self.path)
                self.send_response(404 if text is None else 200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((text or "").encode())

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


def browse(
    served: Served, profile: Path, path: str, *arguments: str, dark: bool = False
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-features=NetworkTimeServiceQuerying",
            "--no-first-run",
            "--enable-logging=stderr",
            f"--user-data-dir={profile}",
            f"--host-resolver-rules=MAP * 127.0.0.1:{served.port}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--window-size=1400,1900",
            "--virtual-time-budget=8000",
            *arguments,
            f"http://report.test{path}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def measured(served: Served, page: str, profile: Path, *, dark: bool) -> list[dict[str, Any]]:
    """What measure.html finds at each width, after the checks that hold for any page."""
    served.page = page
    ran = browse(served, profile, "/", "--dump-dom", dark=dark)
    assert "CONSOLE" not in ran.stderr
    assert set(served.asked) == {"report.test/", "report.test/page"}
    text = re.search(r'<pre id="found">(.*?)</pre>', ran.stdout, flags=re.DOTALL)
    assert text is not None
    found: list[dict[str, Any]] = json.loads(markup.unescape(text[1]))
    assert [one["width"] for one in found] == [1280, 390]
    for one in found:
        assert one["dark"] is dark
        assert one["loaded"] == []
        assert one["scrollWidth"] <= one["width"]
        assert one["texts"] > 50
        for fault in ("tooWide", "faint", "smallText", "cutText"):
            assert one[fault] == [], fault
        for boxes in one["figures"]:
            assert len(boxes) == 1  # of a figure drawn for two widths, one is shown
            assert boxes[0][0] > 250
            assert boxes[0][1] > 100
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_report_fits_and_can_be_read(html: str, served: Served, tmp_path: Path, dark: bool) -> None:
    for one in measured(served, html, tmp_path, dark=dark):
        assert len(one["figures"]) == 2 * 4 + 2


def test_the_comparison_fits_and_can_be_read(comparison: str, served: Served, tmp_path: Path) -> None:
    for one in measured(served, comparison, tmp_path, dark=False):
        assert len(one["figures"]) == 1


def test_the_checks_would_find_a_fault(html: str, served: Served, tmp_path: Path) -> None:
    broken = html.replace(
        "</main>", '<p style="color: #ccc; width: 2000px">faint</p><img src="https://elsewhere.test/x.png"></main>'
    )
    served.page = broken
    ran = browse(served, tmp_path, "/", "--dump-dom")
    text = re.search(r'<pre id="found">(.*?)</pre>', ran.stdout, flags=re.DOTALL)
    assert text is not None
    for one in json.loads(markup.unescape(text[1])):
        assert one["scrollWidth"] > one["width"]
        assert [name for _, name in one["faint"]] == ["P.: faint"]
        assert one["loaded"] == ["https://elsewhere.test/x.png"]


def test_the_report_prints(html: str, served: Served, tmp_path: Path) -> None:
    served.page = html
    paper = tmp_path / "report.pdf"
    browse(served, tmp_path / "profile", "/page", f"--print-to-pdf={paper}", dark=True)
    assert paper.read_bytes().startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())) >= 4
