"""The page for addresses that are none."""


def test_links_start_from_the_root_of_the_site(site):
    s = site("_ext.not_found")
    s.configure("html_baseurl = 'https://notes.example/site/'\n")
    s.write("index.md", "# 首页\n")
    b = s.build()
    assert b.code == 0, b.output
    page = (b.outdir / "404.html").read_text(encoding="utf-8")
    assert "<h1>没有这一页</h1>" in page
    assert "canonical" not in page
    base = page.index('<base href="/site/" />')
    assert base < page.index('rel="stylesheet"')
    assert base < page.index("<script")
    assert 'href="index.html">首页</a>' in page
