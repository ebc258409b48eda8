"""The three public corpora of signatures, as small copies of their layouts; the real ones where they are at hand."""

import os
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from encode.errors import CorpusInvalid, CorpusMissing, StrokesFileInvalid
from encode.sample import Modality, StrokesSample
from encode.strokes import read_strokes
from eval.corpora.corpus import Corpus, Row
from eval.corpora.signatures import read_sigcomp2009, read_susig, read_svc2004
from eval.corpora.spec import DATA_VARIABLE, open_corpus

SVC = "3\n1 2 700 0\n3 4 710 1\n5 6 710 3\n"
SUSIG = "X, Y, TStamp, Pres., EndPts\nDataSize: 3\n1 2 0 9 0\n3 4 10 8 1\n5 6 0 7 0\n"
SIGCOMP = "ABCDE-012_345_678 4\n 9 9 -1 0 0\n 1 2 5 0 0\n 0 0 -4 9 9\n 3 4 6 0 0\n"


def write(root: Path, names: list[str], text: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def facts(rows: list[Row]) -> list[tuple[object, ...]]:
    return [(row.id, row.order, row.session, row.may_enroll) for row in rows]


@pytest.fixture
def visual(tmp_path: Path) -> Path:
    names = [f"GENUINE/SESSION{session}/001_{session}_{number}.sig" for session in (1, 2) for number in (1, 10)]
    return write(tmp_path / "both" / "visual", [*names, "FORGERY/001_f_2.sig"], SUSIG)


@pytest.fixture
def blind(tmp_path: Path) -> Path:
    return write(tmp_path / "both" / "blind", ["GENUINE/001_g_2.sig", "FORGERY/001_f_1.sig"], SUSIG)


@pytest.fixture
def sigcomp(tmp_path: Path) -> Path:
    """Writer 002 signs, and imitates writer 001 of either set."""
    main = ["genuines/NFI-00103001.hwr", "genuines/NFI-00201002.hwr", "forgeries/NFI-00201001.hwr"]
    training = ["NISDCC-001_001_005.hwr", "NISDCC-002_001_004.hwr", "._NISDCC-001_001_005.hwr", "README.txt"]
    return write(write(tmp_path / "sets", [f"main/{name}" for name in main], SIGCOMP), training, SIGCOMP)


def test_svc2004_is_twenty_genuine_samples_and_then_forgeries(tmp_path: Path) -> None:
    names = [f"U{person}S{sample}.{end}" for person, end in ((7, "TXT"), (11, "txt")) for sample in (1, 10, 11, 20, 21)]
    corpus = read_svc2004(write(tmp_path, [*names, "._U7S1.TXT", "readme.txt", "sub/U7S2.TXT"], SVC), name="svc2004")
    assert corpus.people == ("U11", "U7")
    assert facts(corpus.genuine("U7")) == [
        ("U7S1.TXT", 1, None, True),
        ("U7S10.TXT", 10, None, True),
        ("U7S11.TXT", 11, None, False),
        ("U7S20.TXT", 20, None, False),
    ]
    assert [(row.id, row.order) for row in corpus.forgeries("U11")] == [("U11S21.txt", 1)]
    assert {row.modality for row in corpus.rows} == {Modality.SIGNATURE}
    assert corpus.reference_rule == "the first 10 genuine samples"
    expected = StrokesSample((1.0, 3.0, 5.0), (2.0, 4.0, 6.0), (0.0, 10.0, 10.0), (), (False, True, True))
    assert [row.load() for row in corpus.rows] == [expected] * 10


def test_susig_visual_has_two_sessions_in_order(visual: Path) -> None:
    corpus = read_susig(visual, name="susig")
    assert corpus.people == ("visual-001",)
    assert facts(corpus.genuine("visual-001")) == [
        ("visual/GENUINE/SESSION1/001_1_1.sig", 1, "1", True),
        ("visual/GENUINE/SESSION1/001_1_10.sig", 10, "1", True),
        ("visual/GENUINE/SESSION2/001_2_1.sig", 11, "2", False),
        ("visual/GENUINE/SESSION2/001_2_10.sig", 20, "2", False),
    ]
    assert [row.id for row in corpus.forgeries("visual-001")] == ["visual/FORGERY/001_f_2.sig"]
    assert corpus.reference_rule == "the first session (visual)"
    expected = StrokesSample((1.0, 3.0, 5.0), (2.0, 4.0, 6.0), (0.0, 10.0, 0.0), (9.0, 8.0, 7.0), (False, True, False))
    assert [row.load() for row in corpus.rows] == [expected] * 5


def test_susig_blind_has_one_session_of_other_people(visual: Path, blind: Path) -> None:
    corpus = read_susig(blind, name="susig")
    assert facts(corpus.genuine("blind-001")) == [("blind/GENUINE/001_g_2.sig", 2, None, True)]
    assert len(corpus.forgeries("blind-001")) == 1
    assert corpus.reference_rule is None
    both = read_susig(visual.parent, name="susig")
    assert both.people == ("blind-001", "visual-001")
    apart = [*corpus.rows, *read_susig(visual, name="susig").rows]
    assert both.digest == Corpus("susig", apart).digest


def test_the_same_subcorpus_twice_is_refused(visual: Path) -> None:
    write(visual.parent / "copy", ["GENUINE/SESSION1/001_1_1.sig", "FORGERY/001_f_2.sig"], SUSIG)
    with pytest.raises(CorpusInvalid, match="holds the visual subcorpus twice"):
        read_susig(visual.parent, name="susig")


def test_a_sigcomp_forgery_belongs_to_whom_it_imitates(sigcomp: Path) -> None:
    corpus = read_sigcomp2009(sigcomp, name="sigcomp2009")
    assert corpus.people == ("NFI-001", "NFI-002", "NISDCC-001")
    assert facts(corpus.genuine("NFI-001")) == [("NFI-00103001.hwr", 3, None, True)]
    assert facts(corpus.genuine("NISDCC-001")) == [("NISDCC-001_001_005.hwr", 5, None, True)]
    assert [(row.id, row.order) for row in corpus.forgeries("NFI-001")] == [("NFI-00201001.hwr", 1)]
    assert [(row.id, row.order) for row in corpus.forgeries("NISDCC-001")] == [("NISDCC-002_001_004.hwr", 4)]
    assert corpus.forgeries("NFI-002") == []
    expected = StrokesSample((1.0, 3.0), (2.0, 4.0), (0.0, 10.0), (5.0, 6.0), (True, True))
    assert [row.load() for row in corpus.rows] == [expected] * 5


@pytest.mark.parametrize("reader", ["svc2004", "susig", "sigcomp2009"])
def test_a_reader_is_named_by_a_command_and_reads_its_own_format_alone(
    reader: str, visual: Path, sigcomp: Path, tmp_path: Path
) -> None:
    root = {"svc2004": tmp_path / "svc", "susig": visual, "sigcomp2009": sigcomp}[reader]
    write(tmp_path / "svc", ["U1S1.TXT"], SVC)
    corpus = open_corpus(f"{reader}:{root}")
    assert corpus.name == reader
    corpus.rows[0].path.write_text("x,y,t\n1,2,3\n")
    with pytest.raises(StrokesFileInvalid):
        corpus.rows[0].load()
    with pytest.raises(CorpusMissing, match="there is no folder"):
        open_corpus(f"{reader}:{tmp_path / 'absent'}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusInvalid, match=r"empty holds no signatures of this corpus .*it should hold"):
        open_corpus(f"{reader}:{tmp_path / 'empty'}")
    with pytest.raises(CorpusInvalid, match="takes no option"):
        open_corpus(f"{reader}:{root}?crop=1,2,3,4")


REAL = {
    "svc2004": ("svc2004_task1", 40, (20, 20), 40, (20, 20), 1600),
    "susig": ("", 194, (8, 20), 194, (10, 10), 4760),
    "sigcomp2009": ("sigcomp2009.zip", 79, (9, 12), 19, (23, 36), 1552),
    "sigcomp2009 training": ("sigcomp2009_training.zip", 12, (5, 5), 12, (150, 155), 1905),
}


@pytest.mark.corpus
@pytest.mark.parametrize("case", REAL)
def test_the_published_corpora_are_whole(case: str, tmp_path: Path) -> None:
    place, people, genuine, forged, forgeries, samples = REAL[case]
    path = Path(os.environ.get(DATA_VARIABLE, "")) / "signatures" / place
    if DATA_VARIABLE not in os.environ or not path.exists():
        pytest.skip(f"{DATA_VARIABLE} names no folder with signatures/{place}")
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path)
        path = tmp_path
    corpus = open_corpus(f"{case.partition(' ')[0]}:{path}")
    counts = {
        kind: Counter(row.person for row in corpus.rows if row.kind == kind).values() for kind in ("genuine", "forgery")
    }
    assert (len(corpus), len(corpus.people), len(counts["forgery"])) == (samples, people, forged)
    assert (min(counts["genuine"]), max(counts["genuine"])) == genuine
    assert (min(counts["forgery"]), max(counts["forgery"])) == forgeries
    for row in corpus.rows[::10]:
        sample = row.load()
        assert isinstance(sample, StrokesSample)
        assert len(read_strokes(sample)) >= 16
