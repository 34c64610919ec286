// The search page. Sphinx's index names the pages that may hold the words of a query; their texts
// (_search/PAGE.js, read as scripts, so that it works over file:// too) tell which of them do, in
// which section, and what stands around the words. Every word must occur; Chinese as it is typed,
// English by its stem.
(() => {
  const HAN = /[\u3400-\u9fff\uf900-\ufaff]/u;
  const LATIN = `(?:(?!${HAN.source})[\\p{L}\\p{N}_])+`; // a word of any other script
  const TOKEN = new RegExp(LATIN, "gu");
  const WORD = new RegExp(`${HAN.source}+|${LATIN}`, "gu");
  const AROUND = 40; // characters shown before and after a word
  const SHOWN = 3; // sections listed for a page
  const stemmer = new Stemmer();
  const pages = new Map(); // page → its sections [anchor, heading, text], or the reading of them

  // Full-width letters and digits become plain ones, letter by letter, so that places stay.
  const plain = (text) =>
    text
      .replace(/[！-～]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0))
      .replace(/\p{Lu}/gu, (c) => (c.toLowerCase().length === c.length ? c.toLowerCase() : c));

  // A function that lists where a word stands in a plain text, as [start, end] pairs.
  const finder = (word) => {
    if (HAN.test(word))
      return (text) => [...text.matchAll(word)].map((m) => [m.index, m.index + word.length]);
    const stem = stemmer.stemWord(word);
    const begun = (token) => word.length > 2 && token.startsWith(word);
    const fits = (token) => begun(token) || stemmer.stemWord(token) === stem;
    return (text) => [...text.matchAll(TOKEN)].flatMap((m) => (fits(m[0]) ? [[m.index, m.index + m[0].length]] : []));
  };

  Search.read = (page, ...sections) => pages.set(page, sections);

  const read = (page) => {
    if (!pages.has(page))
      pages.set(page, new Promise((done) => {
        const script = document.createElement("script");
        script.src = `${document.documentElement.dataset.content_root}_search/${page}.js`;
        script.onload = script.onerror = done;
        document.head.append(script);
      }));
    return pages.get(page);
  };

  // What a page has to say to a query: {page, title, score, sections}, or null if a word is missing.
  const judge = (page, words) => {
    const sections = pages.get(page);
    if (!Array.isArray(sections)) return null;
    const finders = words.map(finder);
    const article = /\//.test(page) && !/^tags\/|\/index$/.test(page);
    const weigh = (n, rank) => n && (rank ? 4 : 32) * (1 + Math.log2(n));
    const hits = sections.map(([anchor, heading, text], rank) => {
      const [inHeading, inText] = [heading, text].map(plain).map((one) => finders.map((find) => find(one)));
      const score = words.map((_, i) => weigh(inHeading[i].length, rank) + Math.log2(1 + inText[i].length));
      return { anchor, heading, text, inHeading, inText, score };
    });
    if (words.some((_, i) => !hits.some((hit) => hit.score[i]))) return null;
    const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
    // A section that holds all the words says more than one with many of one of them.
    const total = ({ score }) => score.filter(Boolean).length * 100 + sum(score);
    const heard = sum(words.map((_, i) => Math.log2(1 + sum(hits.map((hit) => hit.inText[i].length)))));
    const headed = Math.max(...hits.map((hit) => sum(hit.score)));
    return {
      page,
      title: sections[0][1],
      score: (article ? 2 : 1) * (heard + headed),
      sections: hits.filter((hit) => sum(hit.score)).sort((a, b) => total(b) - total(a)).slice(0, SHOWN),
    };
  };

  const element = (tag, className, ...children) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children);
    return made;
  };

  // A text with its marks, as nodes; from and to cut it.
  const marked = (text, places, from = 0, to = text.length) => {
    const parts = [];
    for (const [start, end] of places.flat().sort((a, b) => a[0] - b[0])) {
      if (start < from || end > to) continue;
      parts.push(text.slice(from, start), element("mark", "", text.slice(start, end)));
      from = end;
    }
    return [...parts, text.slice(from, to)];
  };

  const excerpt = ({ text, inText }) => {
    const first = inText.find((places) => places.length)?.[0][0];
    if (first === undefined) return [];
    const from = Math.max(0, first - AROUND, text.lastIndexOf("\n", first) + 1);
    const line = text.indexOf("\n", first);
    const to = Math.min(line < 0 ? text.length : line, first + 2 * AROUND);
    return [element("p", "context", from && text[from - 1] !== "\n" ? "…" : "", ...marked(text, inText, from, to), to < text.length && text[to] !== "\n" ? "…" : "")];
  };

  const show = ({ page, title, score, sections }) => {
    const link = (anchor, text) => {
      const a = element("a", "", ...text);
      a.href = `${document.documentElement.dataset.content_root}${page}.html${anchor && "#" + anchor}`;
      return a;
    };
    const top = sections.find((hit) => hit.heading === title);
    const item = element("li", "", link("", top ? marked(title, top.inHeading) : [title]));
    item.dataset.score = score.toFixed(2);
    for (const hit of sections) {
      if (hit !== top) item.append(element("p", "section", link(hit.anchor, marked(hit.heading, hit.inHeading))));
      item.append(...excerpt(hit));
    }
    return item;
  };

  let latest = 0;
  Search.query = async (query) => {
    const mine = ++latest;
    const asked = query.normalize("NFKC").toLowerCase();
    const words = [...new Set(asked.match(WORD) ?? [])];
    const candidates = words.length ? Search._performSearch(...Search._parseQuery(asked)) : [];
    const names = [...new Set(candidates.map(([page]) => page))].filter((page) => !/^(genindex|search)$/.test(page));
    await Promise.all(names.map(read));
    if (mine !== latest) return; // the reader typed on
    const found = names.map((page) => judge(page, words)).filter(Boolean);
    found.sort((a, b) => b.score - a.score || (a.page < b.page ? -1 : 1));
    Search.stopPulse();
    Search.title.textContent = "搜索结果";
    Search.status.textContent = found.length ? `找到 ${found.length} 页。` : "没有一页含有全部这些词。";
    Search.output.replaceChildren(...found.map(show));
  };

  // Type on, and the results follow.
  addEventListener("DOMContentLoaded", () => {
    const field = document.querySelector(".bd-search-container input[name=q]");
    let pause;
    field.addEventListener("input", () => {
      clearTimeout(pause);
      pause = setTimeout(() => {
        document.getElementById("search-results").replaceChildren();
        history.replaceState(null, "", `?q=${encodeURIComponent(field.value)}`);
        if (field.value.trim()) Search.performSearch(field.value);
      }, 150);
    });
  });
})();
