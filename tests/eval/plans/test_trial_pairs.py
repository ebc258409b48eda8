"""LFW's pairs.txt on a synthetic corpus: which images, which templates, which folds, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encode.errors import CorpusInvalid, CorpusMissing
from eval.corpora.corpus import Corpus, Row
from eval.corpora.folder import read_lfw
from eval.plans.trial_list import plan_of_list
from eval.plans.trial_pairs import read_pairs
from eval.trials import TrialKind

PAIRS = """2	2
Ann_Lee	1	4
Ann_Lee	1	2
Ann_Lee	1	Bo	1
Bo	2	Ann_Lee	4
Cy-Jr	1	2
Di	1	3
Cy-Jr	1	Di	2
Di	3	Cy-Jr	2
"""


def corpus() -> Corpus:
    return Corpus(
        "lfw",
        [
            Row(id=f"{person}/{person}_{number:04}.jpg", path=Path("absent"), person=person, order=number)
            for person in ("Ann_Lee", "Bo", "Cy-Jr", "Di")
            for number in (1, 2, 3, 4)
        ],
    )


def write(folder: Path, text: str) -> Path:
    (folder / "pairs.txt").write_text(text, encoding="utf-8")
    return folder / "pairs.txt"


def test_first_images_are_templates_and_second_images_probes(tmp_path: Path) -> None:
    listed = read_pairs(write(tmp_path, PAIRS), corpus().rows)
    found = [(t.person, t.references, dict(t.probes)) for t in listed.templates]
    genuine, random = TrialKind.GENUINE, TrialKind.RANDOM
    assert found == [
        (
            "Ann_Lee",
            ("Ann_Lee/Ann_Lee_0001.jpg",),
            {"Ann_Lee/Ann_Lee_0004.jpg": genuine, "Ann_Lee/Ann_Lee_0002.jpg": genuine, "Bo/Bo_0001.jpg": random},
        ),
        ("Bo", ("Bo/Bo_0002.jpg",), {"Ann_Lee/Ann_Lee_0004.jpg": random}),
        ("Cy-Jr", ("Cy-Jr/Cy-Jr_0001.jpg",), {"Cy-Jr/Cy-Jr_0002.jpg": genuine, "Di/Di_0002.jpg": random}),
        ("Di", ("Di/Di_0001.jpg",), {"Di/Di_0003.jpg": genuine}),
        ("Di", ("Di/Di_0003.jpg",), {"Cy-Jr/Cy-Jr_0002.jpg": random}),
    ]
    assert listed.fold_people == {"fold 1": {"Ann_Lee", "Bo"}, "fold 2": {"Cy-Jr", "Di"}}


def test_the_plan_has_one_claim_a_template(tmp_path: Path) -> None:
    plan = plan_of_list(corpus().rows, read_pairs(write(tmp_path, PAIRS), corpus().rows), np.ones(16, bool))
    assert [(plan.people[claim.person], claim.draw) for claim in plan.claims] == [
        ("Ann_Lee", 0),
        ("Bo", 0),
        ("Cy-Jr", 0),
        ("Di", 0),
        ("Di", 1),
    ]
    assert sum(len(claim.genuine) for claim in plan.claims) == sum(len(claim.random) for claim in plan.claims) == 4


def test_a_lone_number_promises_pairs_without_folds(tmp_path: Path) -> None:
    text = "\ufeff1\r\nAnn_Lee\t1\t4\r\nAnn_Lee\t1\tBo\t1\r\n\r\n"
    listed = read_pairs(write(tmp_path, text), corpus().rows)
    assert listed.fold_people == {}
    assert len(listed.templates) == 1
    assert read_pairs(write(tmp_path, text.replace("\t", "  ")), corpus().rows) == listed


def test_images_are_found_in_the_folder_that_the_reader_reads(tmp_path: Path, encoded: Callable[..., bytes]) -> None:
    for person, numbers in {"Ann_Lee": (1, 12), "Bo": (3,)}.items():
        (tmp_path / "lfw" / person).mkdir(parents=True)
        for number in numbers:
            data = encoded(np.zeros((20, 20), np.uint8))
            (tmp_path / "lfw" / person / f"{person}_{number:04}.png").write_bytes(data)
    rows = read_lfw(tmp_path / "lfw", name="lfw").rows
    listed = read_pairs(write(tmp_path, "1\nAnn_Lee\t12\t1\nBo\t3\tAnn_Lee\t1\n"), rows)
    assert [template.references for template in listed.templates] == [
        ("Ann_Lee/Ann_Lee_0012.png",),
        ("Bo/Bo_0003.png",),
    ]


def test_a_name_without_a_number_is_found_by_its_order(tmp_path: Path) -> None:
    rows = [replace(row, id=f"{row.person}/{'abcde'[row.order]}.jpg") for row in corpus().rows]
    listed = read_pairs(write(tmp_path, "1\nBo\t1\t4\nBo\t1\tDi\t2\n"), rows)
    assert listed.templates[0].references == ("Bo/b.jpg",)
    assert set(listed.templates[0].probes) == {"Bo/e.jpg", "Di/c.jpg"}


def test_the_number_in_the_name_goes_before_the_order(tmp_path: Path) -> None:
    rows = [replace(row, order=row.order - 1) for row in corpus().rows]  # as a table that counts from 0 would
    assert read_pairs(write(tmp_path, PAIRS), rows) == read_pairs(write(tmp_path, PAIRS), corpus().rows)


BAD = {
    "empty": ("\n\n", "the list is empty", "pairs.txt"),
    "no first line": ("Ann_Lee\t1\t4\n", "first line says how many", "pairs.txt: line 1"),
    "first line of zero": ("10\t0\n", "first line says how many", "pairs.txt: line 1"),
    "first line of three": ("1\t1\t1\n", "first line says how many", "pairs.txt: line 1"),
    "first line alone": ("3\n", "fold 1 has 0 genuine pairs, the first line promises 3", "pairs.txt"),
    "two cells": ("1\nAnn_Lee\t1\n", "2 cells, a pair has three or four", "pairs.txt: line 2"),
    "five cells": ("1\n\nAnn_Lee\t1\tBo\t1\tx\n", "5 cells, a pair has three or four", "pairs.txt: line 3"),
    "no number": ("1\nAnn_Lee\tone\t4\n", "'one' is not the number", "pairs.txt: line 2, column 2"),
    "a negative number": ("1\nAnn_Lee\t1\t-4\n", "'-4' is not the number", "pairs.txt: line 2, column 3"),
    "unknown person": ("1\nNobody\t1\t4\n", "holds no sample 1 of 'Nobody'", "pairs.txt: line 2, column 2"),
    "unknown image": ("1\nAnn_Lee\t1\tBo\t9\n", "holds no sample 9 of 'Bo'", "pairs.txt: line 2, column 4"),
    "one person twice": ("1\nAnn_Lee\t1\tAnn_Lee\t4\n", "both images are of one person", "pairs.txt: line 2"),
    "one image twice": ("1\nAnn_Lee\t1\t1\n", "is reference and probe", "pairs.txt: line 2"),
    "a pair twice": ("1\nAnn_Lee\t1\t4\nAnn_Lee\t1\t4\n", "already", "pairs.txt: line 3"),
    "a genuine pair for an impostor pair": (
        "1\nAnn_Lee\t1\t4\nAnn_Lee\t1\t2\n",
        "fold 1 has 2 genuine pairs, the first line promises 1",
        "pairs.txt",
    ),
    "a pair too few": (PAIRS.replace("Di\t3\tCy-Jr\t2\n", ""), "fold 2 has 1 impostor pairs", "pairs.txt"),
    "a pair too many": (PAIRS + "Di\t2\t1\n", "9 pairs, the first line promises 8", "pairs.txt"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_list_is_refused_by_line(tmp_path: Path, name: str) -> None:
    text, message, field = BAD[name]
    with pytest.raises(CorpusInvalid, match=message) as caught:
        read_pairs(write(tmp_path, text), corpus().rows)
    assert caught.value.field == field


def test_two_samples_of_one_number_are_not_guessed_between(tmp_path: Path) -> None:
    rows = [*corpus().rows, Row(id="again/Bo_0001.jpg", path=Path("absent"), person="Bo")]
    with pytest.raises(CorpusInvalid, match="2 samples 1 of 'Bo'"):
        read_pairs(write(tmp_path, PAIRS), rows)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing, match="no list of pairs"):
        read_pairs(tmp_path / "absent.txt", corpus().rows)
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe1\x00")
    with pytest.raises(CorpusInvalid, match="not UTF-8"):
        read_pairs(tmp_path / "x.txt", corpus().rows)
