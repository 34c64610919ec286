// Shrinks what is wider than the text: a formula, a table. Nothing is cut off at the margin.
document.fonts.ready.then(() => {
  for (const box of document.querySelectorAll(".formula, .table")) {
    const room = (box.matches(".formula") ? box : box.parentElement).clientWidth;
    const ratio = room / box.scrollWidth;
    if (ratio < 1) box.style.zoom = ratio;
  }
});
