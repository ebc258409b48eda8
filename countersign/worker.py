"""One of the processes that `countersign serve --workers` starts; its settings come through standard input.

python -m countersign.worker FILE_DESCRIPTOR
"""

import os
import sys

# As the command line sets it: scoring multiplies small matrices, and threads for those only compete with each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json

import typer

from countersign.exit_codes import typed_exit


def main() -> int:
    """Serve until told to stop; the exit code, as of `countersign serve`."""
    from verify.process_life import run_worker
    from verify.settings import ServiceSettings

    try:
        with typed_exit():
            run_worker(ServiceSettings(**json.load(sys.stdin)), int(sys.argv[1]))
    except typer.Exit as ended:
        return ended.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
