"""What the serving image holds, as a software bill of materials: CycloneDX 1.6, JSON.

    python deploy/sbom.py [--out sbom.cdx.json]

Every release of the serving install (`.[cpu]` under constraints.txt) with its licence, what it needs, and the libraries
that its wheel says it brings along (PEP 770); and the model bundles, by their digests. The same checkout and the same
platform give the same bytes: no time, no random number.

Not in it: the base image, which has a bill of its own, and libraries inside wheels that declare none.
"""

import argparse
import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from releases import PROJECT, ROOT, declared, graph

SERVING = ("cpu",)
_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD-3-Clause": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT": "MIT",
    "MIT License": "MIT",
}
"""SPDX's ids for what older metadata says in words."""

_LICENCE = "License :: OSI Approved :: "
_WEIGHTS = "research only: the terms of the corpora named in MODEL_CARD.md"

Component = dict[str, Any]


def bill() -> dict[str, Any]:
    """The bill as CycloneDX writes it, without its serial number."""
    needed = graph(declared(SERVING))
    refs = {name: _purl(name, distribution(name).version) for name in needed}
    whole = _purl(PROJECT["name"], PROJECT["version"])
    first = {canonicalize_name(requirement.name) for requirement in declared(SERVING)}
    models = list(bundles())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": whole,
                "name": PROJECT["name"],
                "version": PROJECT["version"],
                "purl": whole,
                "licenses": [{"expression": PROJECT["license"]}],
            }
        },
        "components": [*(library(name, refs[name]) for name in sorted(needed)), *models],
        "dependencies": [
            {"ref": whole, "dependsOn": sorted([*(refs[name] for name in first), *(one["bom-ref"] for one in models)])},
            *(
                {"ref": refs[name], "dependsOn": sorted(refs[inner] for inner in needed[name])}
                for name in sorted(needed)
            ),
            *({"ref": one["bom-ref"], "dependsOn": []} for one in models),
        ],
    }


def library(name: str, ref: str) -> Component:
    """One installed release."""
    found = distribution(name)
    component = {
        "type": "library",
        "bom-ref": ref,
        "name": name,
        "version": found.version,
        "purl": ref,
        "licenses": licences(found),
    }
    inside = sorted(brought_along(found), key=lambda one: (one["name"], one.get("version", "")))
    # A reference is unique in a bill, and two wheels may bring the same library.
    for number, one in enumerate(inside):
        one["bom-ref"] = f"{ref}#{number}"
    return {**component, "components": inside} if inside else component


def licences(found: Distribution) -> list[dict[str, Any]]:
    """What the metadata says of the licence: an SPDX expression, an id, or words."""
    told = found.metadata
    if expression := told.get("License-Expression"):
        return [{"expression": expression}]
    words = [line.removeprefix(_LICENCE) for line in told.get_all("Classifier") or [] if line.startswith(_LICENCE)]
    text = (told.get("License") or "").strip()
    if text and "\n" not in text and len(text) <= 60:
        words = [text]
    return [{"license": {"id": _SPDX[one]} if one in _SPDX else {"name": one}} for one in words]


def brought_along(found: Distribution) -> Iterator[Component]:
    """The libraries inside a wheel, as far as it declares them."""
    for file in found.files or ():
        if "sboms" not in file.parts or file.suffix != ".json":
            continue
        told = json.loads(Path(str(file.locate())).read_text(encoding="utf-8"))
        if told.get("bomFormat") != "CycloneDX":
            continue
        for one in told.get("components", ()):
            kept = {key: one[key] for key in ("name", "version", "purl") if isinstance(one.get(key), str) and one[key]}
            if canonicalize_name(str(one.get("name", ""))) != canonicalize_name(found.name):
                yield {"type": "library", **kept}


def bundles() -> Iterator[Component]:
    """The model bundles of the image, each with a digest of every sealed part."""
    for manifest in sorted((ROOT / "models").glob("*/manifest.json")):
        folder = manifest.parent
        digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
        yield {
            "type": "machine-learning-model",
            "bom-ref": f"model:{folder.name}@{digest[:16]}",
            "name": folder.name,
            "version": digest[:16],
            "hashes": [{"alg": "SHA-256", "content": digest}],
            "licenses": [{"license": {"name": _WEIGHTS}}],
            "components": [
                {
                    "type": "file",
                    "bom-ref": f"model:{folder.name}@{digest[:16]}/{part.name}",
                    "name": part.name,
                    "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(part.read_bytes()).hexdigest()}],
                }
                for part in sorted(folder.iterdir())
                if part.is_file()
            ],
        }


def written(told: dict[str, Any]) -> str:
    """The bill as text, with a serial number that follows from what it says."""
    plain = json.dumps(told, sort_keys=True)
    return json.dumps({**told, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, plain)}"}, indent=2) + "\n"


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{canonicalize_name(name)}@{version}"


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("sbom.cdx.json"))
    given = parser.parse_args(None if arguments is None else list(arguments))
    told = bill()
    given.out.write_text(written(told), encoding="utf-8")
    inside = sum(len(one.get("components", ())) for one in told["components"] if one["type"] == "library")
    kinds = [one["type"] for one in told["components"]]
    print(
        f"{given.out}: {kinds.count('library')} releases, {inside} libraries they declare to bring along, "
        f"{kinds.count('machine-learning-model')} model bundles"
    )


if __name__ == "__main__":
    main()
