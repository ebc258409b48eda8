"""`python -m countersign`: the same as the `countersign` command."""

from countersign.main import run

if __name__ == "__main__":
    run()
