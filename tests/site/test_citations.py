"""Authors in a Chinese sentence are named with Chinese words."""

import re

ENTRY = "@misc{{{key},\n  author = {{{authors}}},\n  title = {{T}},\n  year = {{2020}},\n}}\n"
AUTHORS = {"one": "Gu, A", "two": "Kong, A and Valiant, B", "many": "Li, A and Wu, B and Xu, C"}


def test_authors_are_joined_by_chinese_words(site):
    s = site("_ext.citations", "sphinxcontrib.bibtex")
    s.configure('bibtex_bibfiles = ["a.bib"]\nbibtex_foot_reference_style = "chinese"\n')
    s.write("a.bib", "".join(ENTRY.format(key=key, authors=who) for key, who in AUTHORS.items()))
    cited = "\n\n".join(f"{{footcite:t}}`{key}`" for key in AUTHORS)
    s.write("index.md", f"# 题\n\n{cited}\n\n```{{footbibliography}}\n```\n")
    build = s.build()
    assert build.code == 0, build.output
    page = (build.outdir / "index.html").read_text("utf-8")
    named = re.findall(r"<p>([^<]*)<a class=\"footnote-reference", page)
    assert named == ["Gu", "Kong 与 Valiant", "Li 等"]
