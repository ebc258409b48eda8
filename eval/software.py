"""Which software the numbers of a run may depend on."""

import platform
from importlib.metadata import PackageNotFoundError, version

_SOFTWARE = ("countersign", "numpy", "scipy", "pillow", "onnxruntime", "onnxruntime-gpu", "scikit-learn", "pyarrow")


def software_versions(*more: str) -> dict[str, str]:
    """Name → version of what every run is made with, and of `more` packages; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in (*_SOFTWARE, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # only one of the two onnxruntime builds is ever installed
    return found
