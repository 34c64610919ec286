"""Every part of every recorded run still runs: on next to nothing, in the record's own shape.

The cheap prefixes that are held against the records leave the slow parts out; a part that broke
would only show after hours of `make rerun`.
"""

import hashlib
import importlib
import inspect
import io
import itertools
import tarfile

import pytest

from snippets.common import records
from snippets.cv import detr_run, face_recognition_run

LOSSES = ["softmax", "norm", "sphere", "cos", "arc", "contrastive", "triplet", "center"]
DETECTORS = ["shapes", "eos", "heavy", "pretrain", "digits", "scratch"]
NET = {"width": 4, "depth": 1, "steps": 2, "lr": 1e-3}
TINY = {
    "cv/detr": {
        **{"steps": dict.fromkeys(DETECTORS, 1), "stop": dict.fromkeys(DETECTORS, 1)},
        **{"batch": dict.fromkeys(DETECTORS, 2), "window": 1, "tests": 12},
        "shown": dict.fromkeys(DETECTORS, 1),
    },
    "cv/face-recognition": {
        **{"portraits": None, "angles": [0], "faces": 24, "components": 3, "shots": 1},
        "digits": {"train": 200, "seen": 7, "steps": 1, "scale": 16.0, "seeds": [0]},
        **{"losses": LOSSES, "classes": [2], "plane": ["arc"]},
    },
    "cv/spatial-pyramid-pooling": {
        **{"train": 30, "test": 10, "seeds": [0, 1], "steps": 1, "batch": 4, "sizes": [8, 10]},
        **{"image": [48, 64], "windows": [1], "crop": 32, "repeats": 1, "maps": [[1, 256, 20, 20]]},
    },
    "generative/autoregressive-models": {
        **{"mnist": {"train": 90, "valid": 10, "test": 10}, "hidden": 3, "nade_hidden": 3},
        "small": {"train": 90, "valid": 10, "test": 10},
        "steps": dict.fromkeys(("fvsbn", "made", "direct", "nade"), 1),
        **{"models": ["independent", "fvsbn", "made", "direct", "nade"], "draws": [1, 8]},
        **{"small_steps": dict.fromkeys(("made", "nade", "agnostic"), 1), "masks": 2, "mixed": 2},
        **{"class_steps": 1, "times": [49]},
    },
    "generative/score-based-models": {
        **{"seeds": [0, 1], "steps": 2, "every": 1, "batch": 8, "noises": [0.1]},
        **{"particles": 20, "slow": 1, "T": 1, "factors": [0.02], "samples": 50, "digit_steps": 1},
    },
    "generative/score-sde": {
        **{"points": 8, "steps": [10], "tolerances": [1e-3], "drawn": 50, "budgets": [12]},
        **{"data": {"tiny": NET, "moons": NET, "digits": NET}, "samples": 20},
    },
    "large-model/distributed-data-parallel": {"caps": [None], "ranks": [2], "steps": 1},
    "large-model/gradient-checkpointing": {
        **{"n": 8, "width": 8, "batch": 8, "segments": [2], "snapshots": [2], "leaves": [1]},
        **{"units": [3], "blocks": 1, "block": {"b": 1, "s": 8, "h": 8, "a": 1}},
    },
    "nlp/ngram": {"tuning": 50, "orders": [1, 2], "gammas": [1.0, 0.1], "thresholds": [1e-6]},
    "nlp/state-space-models": {
        "recall": {"length": 8, "symbols": 2, "steps": 1, "seeds": [0, 1]},
        "latest": {"length": 8, "symbols": 2, "steps": 1, "seeds": [0, 1]},
        **{"counted": [64], "timed": [64]},
    },
    "nlp/transformer": {
        **{"seeds": [0, 1], "n": 3, "width": 4, "depths": [2], "steps": 20, "batch": 2, "rows": 2},
        "model": {"d_model": 8, "n_heads": 2, "n_layers": 1, "d_ff": 8, "dropout": 0.0},
        **{"longest": 3, "warmup": 1, "longer": [13]},
    },
    "nlp/word-embeddings": {
        **{"widths": [8], "windows": [1], "toy_sentences": 50, "seeds": [0, 1], "d": 4},
        **{"min_count": 1, "epochs": {"sg": 1, "cbow": 1, "hs": 1}, "loss_every": 1},
    },
    "python/debugging-with-pdb": {"values": 9, "repeats": 1},
    "python/decorators-and-tf-export": {"repeats": 1},  # what was exported before must be there
    "python/module-vs-functional": {"widths": [1, 4], "repeats": 1},
}
CLOCKS = {
    "ratio": lambda ours, rival, **how: 1.5 if (ours(), rival()) else 0.0,
    "process_time": map(float, itertools.count()).__next__,
}


def absent(part, whole, path=""):
    """Yield the dotted names in a tree that another tree has not, whatever they stand for."""
    if isinstance(part, dict):
        for key, value in part.items():
            here = f"{path}.{key}".lstrip(".")
            if isinstance(whole, dict) and key in whole:
                yield from absent(value, whole[key], here)
            else:
                yield here


def few(sents, needed, step):
    """Every so many clauses, and one for every character that the experiment asks about."""
    found = {char: sent for sent in reversed(sents) for char in set(sent) & needed}
    return [*sents[::step], *dict.fromkeys(found.values())]


@pytest.mark.rerun
@pytest.mark.parametrize("article", records.articles())
def test_every_part_of_a_run_has_the_shape_of_the_record(article, monkeypatch):
    module = importlib.import_module(records.module_of(article))
    for clock in {"ratio", "process_time"} & vars(module).keys():  # nothing here takes any time
        monkeypatch.setattr(module, clock, CLOCKS[clock])
    if article == "nlp/ngram":
        songci = module.songci
        monkeypatch.setattr(module, "songci", lambda side: songci(side)[::60])
    if article == "nlp/word-embeddings":
        songci, poems = module.songci, module.songci_poems
        asked = set("".join([*module.MAP.values(), module.NEIGHBOURS]))
        asked |= {char for quad in module.relation_quads() for char in quad}
        monkeypatch.setattr(module, "songci", lambda side: few(songci(side), asked, 400))
        monkeypatch.setattr(module, "songci_poems", lambda side: poems(side)[::20])
    if article == "generative/autoregressive-models":
        pixels, classes = module.mnist()
        monkeypatch.setattr(module, "mnist", lambda: (pixels[::40], classes[::40]))
        monkeypatch.setattr(module, "draw", inspect.unwrap(module.draw))  # corners are no floats
    if article == "generative/score-sde":
        sets, moons = module.digits(1), module.moons(0.1)
        monkeypatch.setattr(module, "digits", lambda: tuple(part[:200] for part in sets))
        monkeypatch.setattr(module, "moons", lambda noise: tuple(part[:200] for part in moons))
    found = records.rerun(article, TINY[article]).results
    record = records.load(article).results
    known = {"cv/face-recognition": {"cuts", "cuts_summary", "obama"}}.get(article, set())
    assert list(absent(found, record)) == []
    if article == "nlp/word-embeddings":
        assert module.run(**module.INPUTS | TINY[article] | {"parts": []}).keys() == {"corpus"}
    assert record.keys() - found.keys() == known


def test_portraits_are_asked_for_checked_and_compared(tmp_path, monkeypatch):
    run = face_recognition_run
    monkeypatch.setattr(run, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"^here\.tar\.gz is missing; fetch it by: pip"):
        run.portraits("here.tar.gz")
    photo = run.photo("skimage", "data/astronaut.png")[::4, ::4]
    _, data = run.cv2.imencode(".png", photo[:, :, ::-1])
    with tarfile.open(tmp_path / "here.tar.gz", "w:gz") as archive:
        for who in ("obama", "obama2", "obama3", "biden"):
            member = tarfile.TarInfo(f"face_recognition-1.3.0/tests/test_images/{who}.jpg")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data.tobytes()))
    with pytest.raises(ValueError, match=f"^here.tar.gz must have SHA-256 {run.PORTRAITS}$"):
        run.portraits("here.tar.gz")
    digest = hashlib.sha256((tmp_path / "here.tar.gz").read_bytes()).hexdigest()
    monkeypatch.setattr(run, "PORTRAITS", digest)
    found = run.portraits("here.tar.gz")
    assert list(found) == ["obama", "obama2", "obama3", "biden"]
    assert all((picture == photo).all() for picture in found.values())

    monkeypatch.setattr(run, "rotation", lambda img, angles: {"of": img.shape[0]})
    monkeypatch.setattr(run, "degraded", lambda img: {"of": img.shape[0]})
    monkeypatch.setattr(run, "small_faces", lambda *sizes: {})
    monkeypatch.setattr(run, "aligned", lambda img: img[:112, :112])
    monkeypatch.setattr(run, "main_face", lambda img: run.np.zeros(15))
    monkeypatch.setattr(run, "embed", lambda crops: run.np.ones((len(crops), 4)) / 2)
    monkeypatch.setattr(run, "cut", lambda img, way: img)
    monkeypatch.setattr(run, "summary", inspect.unwrap(run.summary))  # its counts are no floats
    results = run.run(**run.INPUTS | run.CHEAP | {"portraits": "here.tar.gz"})
    assert results["obama"] == {"rotation": {"of": len(photo)}, "degraded": {"of": len(photo)}}
    assert results["cuts"]["box"]["obama_biden"] == 1
    assert results["cuts_summary"]["box"]["pairs"] == 3
    assert results["cuts_summary"]["box"]["impostors"] == 12


def test_a_cut_that_nobody_knows_is_refused():
    photo = face_recognition_run.photo("skimage", "data/astronaut.png")
    with pytest.raises(ValueError, match=r"^unknown way 'round'$"):
        face_recognition_run.cut(photo, "round")


def test_a_run_without_detectors_finds_nothing():
    assert detr_run.digits(detr_run.INPUTS | {"stop": {}}) == {}


def test_main_writes_the_named_records_or_says_what_is_wrong(tmp_path, monkeypatch, capsys):
    written = {}
    monkeypatch.setattr(records, "rerun", lambda article: f"record of {article}")
    monkeypatch.setattr(records, "save", written.__setitem__)
    assert records.main(["nlp/ngram"]) == 0
    assert capsys.readouterr().out == "wrote snippets/nlp/ngram_run.json\n"
    assert records.main([]) == 0
    assert written == {article: f"record of {article}" for article in records.articles()}
    monkeypatch.undo()
    assert records.main(["nlp/nowhere"]) == 1
    known = ", ".join(records.articles())
    assert capsys.readouterr().err == (
        f"records: 'nlp/nowhere' has no run module; articles that have one: {known}\n"
    )


def test_results_that_json_cannot_hold_are_refused(monkeypatch):
    module = importlib.import_module(records.module_of("python/module-vs-functional"))
    monkeypatch.setattr(module, "run", lambda **inputs: {"set": set()})
    said = r"snippets\.python\.module_vs_functional_run\.run returned what JSON cannot hold: "
    with pytest.raises(records.RecordError, match=said):
        records.rerun("python/module-vs-functional")
