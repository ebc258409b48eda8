"""What a benchmark ran on: processor, memory, system, software and revision, and how busy the machine was."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from encode.cpu import usable_cpus
from eval.software import software_versions

_ROOT = Path(__file__).parents[1]


def machine_facts() -> dict[str, Any]:
    """Names no host and no user: what is told may be published."""
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "processors": usable_cpus(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "revision": _revision(),
        "software": software_versions("grpcio", "faiss-cpu", "torch"),
    }


def load() -> float:
    """Processes that ran or waited for a processor, mean of the last minute."""
    return round(os.getloadavg()[0], 2)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _revision() -> str:
    """The commit, with a + where files differ from it."""
    found = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"
