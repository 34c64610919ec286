"""Figures are numbered per page, and a new one makes no other page be written again."""

import re

FIGURE = """
```{{figure}} dot.svg
:name: {name}
图注。
```
"""


def numbers(build, page):
    html = (build.outdir / f"{page}.html").read_text(encoding="utf-8")
    return re.findall(r'class="caption-number">图 (\S+?) ?<', html)


def test_every_page_starts_at_one_and_references_agree(site):
    s = site("_ext.numbering")
    s.configure("numfig = True\n")
    s.write("dot.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')
    s.write("index.md", "# 首页\n\n```{toctree}\none\ntwo\n```\n\n{numref}`d`\n")
    s.write("one.md", "# 一\n" + FIGURE.format(name="a") + FIGURE.format(name="b"))
    s.write("two.md", "# 二\n" + FIGURE.format(name="c") + FIGURE.format(name="d"))
    build = s.build()
    assert build.code == 0, build.output
    assert numbers(build, "one") == numbers(build, "two") == ["1", "2"]
    assert "图 2" in (build.outdir / "index.html").read_text(encoding="utf-8")

    untouched = (build.outdir / "two.html").stat().st_mtime_ns
    s.write("one.md", "# 一\n" + "".join(FIGURE.format(name=n) for n in "aeb"))
    build = s.build()
    assert build.code == 0, build.output
    assert numbers(build, "one") == ["1", "2", "3"]
    assert (build.outdir / "two.html").stat().st_mtime_ns == untouched
