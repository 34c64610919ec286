"""Published addresses stay, or say where they have gone."""

import pytest

PAGE = "# 首页\n\n```{toctree}\nnew\n```\n\n(kept)=\n## 留下的\n\n甲\n"


@pytest.fixture
def notes(site):
    s = site("_ext.permalinks")
    s.write("index.md", PAGE)
    s.write("new.md", "# 新的一页\n\n(fresh)=\n## 新的一节\n\n乙\n")
    return s


def test_the_manifest_takes_in_what_is_there_and_keeps_what_moved(notes):
    notes.write("permalinks.txt", "old -> new\n")
    b = notes.build("dummy", "-Dpermalinks_update=1")
    assert b.code == 0, b.output
    now = ["index", "index#kept", "new", "new#fresh", "old -> new"]
    assert (notes.root / "permalinks.txt").read_text().splitlines() == now
    assert notes.build("dummy").code == 0


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("index#gone", "index#gone has been published and is gone: bring it back"),
        ("lost", "lost has been published and is gone"),
        ("index#kept -> index", "index#kept exists and cannot lead to index"),
        ("lost -> nowhere", "lost leads to nowhere, which does not exist"),
        ("lost -> new#fresh", "lost must lead from page to page"),
        ("index#gone -> new#fresh", "must lead to an anchor of the same page, not to new#fresh"),
    ],
)
def test_an_address_that_leads_nowhere_fails_the_build(notes, line, fault):
    notes.write("permalinks.txt", f"index\n\n{line}\n")
    b = notes.build()
    assert b.code == 1
    assert fault in b.output
    assert "permalinks.txt:3: WARNING" in b.output


def test_a_changed_manifest_is_read_though_no_page_changed(notes):
    assert notes.build("dummy").code == 0
    notes.write("permalinks.txt", "lost\n")
    assert "lost has been published" in notes.build("dummy").output


@pytest.mark.browser
def test_old_addresses_lead_to_the_new_ones(notes, browser):
    notes.write("permalinks.txt", "deep/old -> new\nindex#gone -> index#kept\n")
    b = notes.build()
    assert b.code == 0, b.output
    tab = browser.new_page()
    tab.goto(f"{(b.outdir / 'deep/old.html').as_uri()}#fresh")
    tab.wait_for_url("**/new.html#fresh")
    tab.goto(f"{(b.outdir / 'index.html').as_uri()}#gone")
    assert "留下的" in tab.locator("section:has(> #gone), section#gone").last.inner_text()
    tab.close()


def test_anchors_of_terms_are_the_terms(site):
    """And adding one before changes none."""
    s = site("_ext.permalinks")
    entry = "KL 散度\nrelative entropy\n  甲\n"
    text = f"# 术语\n\n```{{{{glossary}}}}\n{{}}{entry}```\n\n{{{{term}}}}`KL 散度`\n"
    for before in "", "熵\nentropy\n  乙\n\n":
        s.write("index.md", text.format(before))
        b = s.build()
        assert b.code == 0, b.output
        html = (b.outdir / "index.html").read_text("utf-8")
        assert 'href="#term-KL-散度"' in html
        assert 'id="term-KL-散度"' in html
        assert 'id="term-relative-entropy"' in html


def test_everything_published_is_there(built_site):
    """The site's own manifest names its articles, and was checked when it was built."""
    manifest = (built_site.parents[1] / "permalinks.txt").read_text("utf-8").split()
    assert "python/inheritance-and-mro" in manifest
    assert "glossary#term-文档测试" in manifest
