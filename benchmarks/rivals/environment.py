"""Environments in which what we are compared with is installed, apart from ours."""

import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

CACHE = Path.home() / ".cache" / "countersign" / "rivals"
STACK = tuple(f"{name}=={version(name)}" for name in ("grpcio", "numpy", "pillow"))
"""As in ours, so that what differs is the encoder."""

DLIB = ("dlib-bin==20.0.1.post1", "face-recognition-models==0.3.0", "setuptools<81")
"""The models' package finds its files by pkg_resources, which newer setuptools has no more."""

OPENCV = ("opencv-python-headless==5.0.0.93",)


class NotInstallable(Exception):
    """What pip could not install, and its last words."""


def python_with(name: str, packages: tuple[str, ...], folder: Path = CACHE) -> Path:
    """The interpreter of an environment that has `packages`, made at the first call. Raises NotInstallable."""
    home = folder / name
    python, told = home / "bin" / "python", home / "installed"
    wanted = "\n".join((*STACK, *packages))
    if told.exists() and told.read_text(encoding="utf-8") == wanted:
        return python
    try:
        venv.create(home, clear=True, with_pip=True)
    except subprocess.CalledProcessError as error:
        raise NotInstallable(f"no environment can be made in {home}: {error}") from error
    print(f"installing {', '.join(packages)} into {home}", file=sys.stderr, flush=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "install"]
    done = subprocess.run([*pip, *STACK, *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise NotInstallable(f"{', '.join(packages)} cannot be installed: {last}")
    told.write_text(wanted, encoding="utf-8")
    return python
