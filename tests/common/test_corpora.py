"""snippets/common/corpora.py: the texts are whole, parted by poem, and derived as it says."""

import json
import lzma

import pytest

from snippets.common import corpora
from snippets.common.corpora import derive_songci, lunyu, songci, songci_poems


def test_songci_is_chinese_and_as_long_as_promised():
    train, test = songci("train"), songci("test")
    assert len(train) + len(test) >= corpora.CLAUSES
    assert all("一" <= char <= "鿿" for clause in train + test for char in clause)
    assert len(songci_poems("train") + songci_poems("test")) == 6213
    assert (corpora.DATA / "songci.txt.xz").stat().st_size <= 600_000


def test_no_poem_lies_on_both_sides():
    train = {" ".join(poem) for poem in songci_poems("train")}
    test = {" ".join(poem) for poem in songci_poems("test")}
    assert not train & test
    assert len(train) / len(test) == pytest.approx(corpora.HELD_OUT - 1, rel=0.01)


def test_a_poem_everybody_knows_is_there():
    [poem] = [poem for poem in songci_poems("train") if "明月几时有" in poem]
    assert poem[:2] == ["明月几时有", "把酒问青天"]
    assert poem[-1] == "千里共婵娟"


def test_lunyu_has_the_size_its_golden_figures_were_made_with():
    assert (len(lunyu("train")), len(lunyu("test"))) == (3529, 393)
    assert lunyu("test")[0] == "枉道而事人"


@pytest.mark.parametrize("read", [songci, songci_poems, lunyu])
def test_another_split_is_refused(read):
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'dev'"):
        read("dev")


def test_derivation_drops_damaged_and_repeated_poems_and_keeps_the_order(tmp_path):
    folder = tmp_path / "dist/songci"
    folder.mkdir(parents=True)
    whole, damaged = "明月几时有，把酒问青天。", "明月几时有，□酒问青天。"
    texts = {"0": [whole, damaged], "1000": [whole, "大江东去，浪淘尽、千古风流人物。"]}
    for number, poems in texts.items():
        entries = [{"paragraphs": [poem]} for poem in poems]
        (folder / f"ci.song.{number}.json").write_text(json.dumps(entries), encoding="utf-8")
    lines = lzma.decompress(derive_songci(tmp_path)).decode().splitlines()
    assert lines == ["明月几时有 把酒问青天", "大江东去 浪淘尽 千古风流人物"]


def test_derivation_ends_with_the_poem_that_reaches_the_promised_length(tmp_path, monkeypatch):
    folder = tmp_path / "dist/songci"
    folder.mkdir(parents=True)
    poems = ["明月几时有，把酒问青天。", "大江东去，浪淘尽。", "昨夜雨疏，风骤。"]
    entries = json.dumps([{"paragraphs": [poem]} for poem in poems])
    (folder / "ci.song.0.json").write_text(entries, encoding="utf-8")
    for clauses, left in (2, 1), (3, 2), (4, 2), (5, 3):
        monkeypatch.setattr(corpora, "CLAUSES", clauses)
        assert lzma.decompress(derive_songci(tmp_path)).decode().count("\n") == left


def test_derivation_from_another_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        derive_songci(tmp_path)
