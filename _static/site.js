// Services to the reader: the keyboard reaches every box that scrolls and leaves the open menu, a link
// lands where it points, and paper is white and shows what is folded away on the screen.

// A box takes part in the tab order only while it does scroll sideways.
const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
const boxes = document.querySelectorAll(".formula, .highlight pre, .pst-scrollable-table-container");
const watch = () =>
  boxes.forEach((box) => {
    observer.unobserve(box);
    observer.observe(box);
  });
watch();
document.fonts.addEventListener("loadingdone", watch); // the same formula is wider in its own font

// What is above a target was as high as guessed when the browser went there; by now it is laid out.
const land = () =>
  requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector(":target")?.scrollIntoView()));
window.navigation?.addEventListener("navigate", ({ hashChange, navigationType }) => {
  if (hashChange && navigationType !== "traverse") land();
});
// On opening, what loads can move it again, unless the reader has begun to go elsewhere.
if (performance.getEntriesByType("navigation")[0]?.type === "navigate") {
  const begun = new AbortController();
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"])
    addEventListener(kind, () => begun.abort(), { once: true, passive: true, signal: begun.signal });
  addEventListener("load", land, { signal: begun.signal });
}

addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector(".theme-switch-button[aria-expanded=true]");
  if (open) {
    open.click();
    open.focus();
  }
});

const root = document.documentElement;
let shown;
let folded = [];
addEventListener("beforeprint", () => {
  shown = root.dataset.theme;
  root.dataset.theme = "light";
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const box of folded) box.open = true;
});
addEventListener("afterprint", () => {
  root.dataset.theme = shown;
  for (const box of folded) box.open = false;
});
