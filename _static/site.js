// Makes every box that scrolls sideways reachable by the keyboard, and only while it does scroll.
const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
document
  .querySelectorAll(".formula, .highlight pre, .pst-scrollable-table-container")
  .forEach((box) => observer.observe(box));
