"""Words the interface of Sphinx and the theme in mainland Chinese, ahead of their catalogues."""

from gettext import NullTranslations

from sphinx.application import Sphinx
from sphinx.locale import translators
from sphinx.util.typing import ExtensionMetadata

WORDS = {
    "Back to top": "回到顶部",
    "Collapse Sidebar": "收起侧栏",
    "Color mode": "配色",
    "Dark": "深色",
    "Error": "出错了",
    "Expand Sidebar": "展开侧栏",
    "Home": "首页",
    "Light": "浅色",
    "Link to this code": "此代码的永久链接",
    "Link to this definition": "此定义的永久链接",
    "Link to this equation": "此公式的永久链接",
    "Link to this heading": "此标题的永久链接",
    "Link to this image": "此图的永久链接",
    "Link to this table": "此表的永久链接",
    "Link to this term": "此术语的永久链接",
    "Link to this toctree": "此目录的永久链接",
    "On this page": "本页目录",
    "Please activate JavaScript to enable the search functionality.": "搜索需要启用 JavaScript。",
    "Search": "搜索",
    "Skip to main content": "跳到正文",
    "System Settings": "跟随系统",
    "next": "下一篇",
    "next page": "下一页",
    "previous": "上一篇",
    "previous page": "上一页",
}


class Wording(NullTranslations):
    """Our words, and for everything else whatever catalogue is loaded after us."""

    def gettext(self, message: str) -> str:
        """Translate one message of the interface."""
        return WORDS.get(message) or super().gettext(message)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Stand before the catalogue `sphinx`, which the theme uses too."""
    ours = Wording()
    ours.add_fallback(app.translator)
    translators["general", "sphinx"] = app.translator = ours
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
