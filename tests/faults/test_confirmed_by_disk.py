"""Nothing is answered before the disk has confirmed it: the system calls of a store at work, watched with strace."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ENROLLED = 8
SCRIPT = """
import os, sys
from datetime import UTC, datetime
import numpy as np
from encode.sample import Modality
from enroll.audit.event import Action, AuditEvent
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.store import Request
from enroll.template import Template
now = datetime.now(UTC)
store = open_sql_store(StorePlace(sys.argv[1]))
writer = store.audit_writer()
def answered(what):
    os.write(1, f"answered {what}\\n".encode())
answered("start")
for number in range(int(sys.argv[2])):
    person = f"p{number}"
    template = Template.empty("staff", person, Modality.FACE, "a" * 64, size=64, now=now)
    template = template.with_references(np.ones((2, 64), np.float32), anchors_capacity=5, recent_capacity=5, now=now)
    event = AuditEvent(Action.ENROLL, collection="staff", person=person)
    store.save([template], answer=b"", request=Request("staff", person, "Enroll", bytes(32)), event=event)
    answered("enrolment")
    writer.submit(AuditEvent(Action.VERIFY, collection="staff", person=person)).result()
    answered("decision")
    if number % 4 == 3:
        store.erase([template], answer=b"", request=None, event=AuditEvent(Action.DELETE_PERSON))
        answered("erasure")
writer.close()
store.close()
"""

WRITE = re.compile(r"(?:pwrite64|write|ftruncate)\(\d+<(?P<path>[^>]*)>")
SYNC = re.compile(r"(?:fsync|fdatasync)\(\d+<(?P<path>[^>]*)>")
ANSWER = re.compile(r'write\(1<[^>]*>, "answered (?P<what>\w+)')


def traced(tmp_path: Path) -> list[str]:
    """The store's writes, confirmations and answers, in their order; skips where processes cannot be watched."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-o", trace, "-e", "trace=write,pwrite64,ftruncate,fsync,fdatasync"]
    done = subprocess.run(
        [*command, sys.executable, "-c", SCRIPT, tmp_path / "people.sqlite", str(ENROLLED)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip("this system forbids watching processes")
    assert done.returncode == 0, done.stderr
    return trace.read_text().splitlines()


def test_every_answer_waits_for_the_disk(tmp_path: Path) -> None:
    waiting: set[str] = set()
    confirmed: dict[str, set[str]] = {}
    since: set[str] = set()
    answers = []
    for line in traced(tmp_path):
        if answer := ANSWER.search(line):
            # Of both files and both logs, nothing is left that only the kernel holds.
            assert waiting == set(), answer["what"]
            answers.append(answer["what"])
            confirmed.setdefault(answer["what"], set()).update(since)
            if answer["what"] != "start":
                assert "people.sqlite-wal" in since, answer["what"]
            since = set()
        elif (sync := SYNC.search(line)) and line.rstrip().endswith("= 0"):
            name = Path(sync["path"]).name
            waiting.discard(name)
            since.add(name)
        elif write := WRITE.search(line):
            name = Path(write["path"]).name
            if name.startswith("people.sqlite") and not name.endswith("-shm"):
                waiting.add(name)
    assert answers.count("enrolment") == answers.count("decision") == ENROLLED
    assert answers.count("erasure") == ENROLLED // 4
    # A new person's key is on the disk as well, and an erasure's key is overwritten in the file itself.
    assert "people.sqlite.keystore-wal" in confirmed["enrolment"]
    assert {"people.sqlite.keystore", "people.sqlite.keystore-wal", "people.sqlite"} <= confirmed["erasure"]
