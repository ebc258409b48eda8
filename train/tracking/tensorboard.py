"""A run as TensorBoard event files, written by tensorboardX, which needs neither TensorBoard nor TensorFlow."""

from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter


class TensorBoardTracker:
    """Event files in `folder`; those of a run that was killed and continued are read as one."""

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(str(folder))

    def settings(self, values: Mapping[str, str]) -> None:
        """As the text `recipe`, a table."""
        rows = "\n".join(f"| {key} | {value} |" for key, value in values.items())
        self._writer.add_text("recipe", f"| setting | value |\n|---|---|\n{rows}", 0)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One scalar a name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is not written yet."""
        self._writer.close()
