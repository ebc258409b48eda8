"""Versions that a run states."""

from importlib.metadata import version

from eval.software import software_versions


def test_what_is_not_installed_is_left_out() -> None:
    found = software_versions("dask", "a-package-that-nobody-has")
    assert found["dask"] == version("dask")
    assert found["numpy"] == version("numpy")
    assert "a-package-that-nobody-has" not in found
    assert "dask" not in software_versions()
