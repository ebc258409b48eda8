"""After every accident: every ledger against the service, the audit chain by its command, and at the end the counts."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from durability.accidents import Scene
from durability.caller import Caller
from durability.ledger import Findings, Shared
from durability.places import store_place
from durability.service_process import Place, run
from encode.errors import CountersignError, StoreCorrupt
from enroll.audit.chain import START, AuditKeys, Head
from enroll.audit.check import check_stored
from enroll.audit.reading import stored_log
from enroll.stores.opening import AUDIT_SECRET, open_database, open_key_store
from verify.client.client import Client


class Chain:
    """The audit log, checked from where the last check ended; now and then from its start, by the command."""

    def __init__(self, place: Place, findings: Findings) -> None:
        self._place = place
        self._findings = findings
        self._head: Head | None = None
        self.checks: Counter[str] = Counter()

    def check(self, *, whole: bool = False) -> None:
        """Beside the service. The head of the last check must lie on the chain."""
        self.checks["whole, by the command" if whole else "from the last head"] += 1
        head = self._whole() if whole else self._further()
        self._head = self._head if head is None else head

    def _whole(self) -> Head | None:
        kept = [] if self._head is None else ["--head", str(self._head)]
        done = run("audit", "verify", "--json", *kept, *self._place.flags)
        if done.returncode:
            self._findings.add("chain", f"exit code {done.returncode}: {done.stdout}{done.stderr}")
            return None
        return Head.parse(json.loads(done.stdout)["head"])

    def _further(self) -> Head | None:
        """What the command does, in this process: a second of every kill would go to its start."""
        where = store_place(self._place)
        begin = START if self._head is None else self._head
        with (
            closing(open_database(where.database, create=False)) as data,
            closing(open_key_store(where, data)) as keys,
            data.reading() as connection,
        ):
            stored, rows = stored_log(connection, after=begin)
            checked = check_stored(rows, stored, AuditKeys.derive(keys.secret(AUDIT_SECRET)), after=begin)
        for finding in checked.findings:
            self._findings.add("chain", f"{finding.damage.value}: {finding.message}")
        return checked.end if checked.intact else None


def inspect(scene: Scene, callers: Sequence[Caller], shared: Shared, chain: Chain, *, whole: bool = False) -> None:
    """Every caller's ledger, then what all of them did to the shared people, and the chain meanwhile."""
    with ThreadPoolExecutor(len(callers) + 1) as pool:
        checked = pool.submit(chain.check, whole=whole)
        for done in [pool.submit(_hold, scene, caller) for caller in callers]:
            done.result()
        checked.result()
    if all(caller.ledger.pending is None for caller in callers):
        with Client(scene.address, timeout=60) as client:
            for person, calls in shared.enrolled.items():
                found = client.get_person(shared.COLLECTION, person).templates[0].version
                if found != calls:
                    kind = "lost" if found < calls else "answer differs"
                    scene.findings.add(kind, f"shared/{person}: {calls} enrolments answered, {found} done")


def check_entries(
    place: Place, callers: Sequence[Caller], findings: Findings, *, besides: Mapping[str, int] | None = None
) -> Counter[str]:
    """Every answered mutation is in the audit log, once; every answered decision too. Counts of entries by action.

    `besides` has how often each method was answered to others than the callers.
    """
    done = run("audit", "export", *place.flags, within=600)
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    found = Counter(entry["action"] for entry in entries)
    told: Counter[str] = sum((caller.ledger.counts for caller in callers), Counter())
    subjects = {entry.get("subject") for entry in entries}
    for caller in callers:
        for receipt in caller.ledger.receipts:
            if receipt not in subjects:
                findings.add("chain", f"receipt {receipt} is not in the audit log")
    for action, method in (("enroll", "Enroll"), ("delete_person", "DeletePerson")):
        least = told[f"acknowledged {method}"] + (besides or {}).get(method, 0)
        if not least <= found[action] <= least + told[f"forgotten {method}"]:
            findings.add("chain", f"{found[action]} entries of {action}, {least} answered")
    if found["verify"] < told["acknowledged Verify"]:
        findings.add("chain", f"{found['verify']} entries of verify, {told['acknowledged Verify']} answered")
    return found


def _hold(scene: Scene, caller: Caller) -> None:
    try:
        with Client(scene.address, timeout=60) as client:
            caller.check(client)
    except CountersignError as error:
        kind = "corrupt" if isinstance(error, StoreCorrupt) else "unforeseen"
        scene.findings.add(kind, f"{caller.ledger.collection}: after a restart: {error.reason}: {error}")
