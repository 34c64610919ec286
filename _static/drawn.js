// Turns the strip of a step figure into one picture with ‹ ▶ › and a slider.  Nothing moves unasked.
for (const strip of document.querySelectorAll(".drawn-steps .drawn-frames")) {
  const frames = [...strip.children];
  const last = frames.length - 1;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;
  let current = 0;
  let ahead = 0; // steps fetched before they are asked for: one, once a reader comes near

  const make = (tag, properties, attributes) => {
    const node = Object.assign(document.createElement(tag), properties);
    Object.entries(attributes).forEach((pair) => node.setAttribute(...pair));
    return node;
  };
  const button = (text, label, onclick) =>
    make("button", { type: "button", textContent: text, title: label, onclick }, { "aria-label": label });

  const show = (step) => {
    current = Math.max(0, Math.min(last, step));
    frames.forEach((frame, i) => {
      frame.classList.toggle("drawn-current", i === current);
      frame.classList.toggle("drawn-far", i > current + ahead);
    });
    const said = frames[current].querySelector("p").textContent;
    slider.value = current + 1;
    slider.setAttribute("aria-valuetext", said);
    if (!timer) spoken.textContent = said;
    back.disabled = current === 0;
    next.disabled = current === last;
  };
  const go = (step) => { run(false); show(step); };

  const run = (on) => {
    clearInterval(timer);
    timer = on ? setInterval(tick, 1200) : 0;
    play.textContent = on ? "❚❚" : "▶";
    play.title = on ? "暂停" : "播放";
    play.setAttribute("aria-label", play.title);
  };
  const tick = () => {
    const ends = current + 1 >= last || still.matches;
    if (ends) run(false);
    show(current + 1);
  };

  const back = button("‹", "上一步", () => go(current - 1));
  const next = button("›", "下一步", () => go(current + 1));
  const play = button("▶", "播放", () => {
    const wasRunning = timer;
    go(wasRunning ? current : current === last ? 0 : current + 1);
    run(!wasRunning && !still.matches && current < last);
  });
  play.className = "drawn-play";
  const range = { type: "range", min: 1, max: frames.length, oninput: () => go(slider.value - 1) };
  const slider = make("input", range, { "aria-label": "步骤" });
  const spoken = make("span", { className: "drawn-spoken" }, { role: "status" });

  const controls = make("div", { className: "drawn-controls" }, {});
  controls.append(back, play, next, slider, spoken);
  for (const near of ["pointerover", "focusin"])
    controls.addEventListener(near, () => { ahead = 1; show(current); }, { once: true });
  strip.after(controls);
  strip.classList.add("drawn-stepping");
  strip.removeAttribute("tabindex");
  go(0);
}
