// Turns the strip of a step figure into one picture with ‹ ▶ › and a slider.  Nothing moves by itself.
for (const strip of document.querySelectorAll(".drawn-steps .drawn-frames")) {
  const frames = [...strip.children];
  const last = frames.length - 1;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;
  let current = 0;

  const button = (text, label, click) => {
    const node = document.createElement("button");
    Object.assign(node, { type: "button", textContent: text, title: label, onclick: click });
    node.setAttribute("aria-label", label);
    return node;
  };

  const show = (step) => {
    current = Math.max(0, Math.min(last, step));
    frames.forEach((frame, i) => frame.classList.toggle("drawn-current", i === current));
    slider.value = current + 1;
    slider.setAttribute("aria-valuetext", frames[current].querySelector("p").textContent);
    back.disabled = current === 0;
    next.disabled = current === last;
  };

  const play = (on) => {
    clearInterval(timer);
    timer = on ? setInterval(tick, 1200) : 0;
    button_play.textContent = on ? "❚❚" : "▶";
    button_play.title = on ? "暂停" : "播放";
    button_play.setAttribute("aria-label", button_play.title);
    strip.setAttribute("aria-live", on ? "off" : "polite");
  };

  const tick = () => {
    show(current + 1);
    if (current === last || still.matches) play(false);
  };

  const go = (step) => { play(false); show(step); };

  const back = button("‹", "上一步", () => go(current - 1));
  const next = button("›", "下一步", () => go(current + 1));
  const button_play = button("▶", "播放", () => {
    if (timer) return play(false);
    show(current === last ? 0 : current + 1);
    play(current < last && !still.matches);
  });
  button_play.className = "drawn-play";

  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: 1, max: frames.length, oninput: () => go(slider.value - 1) });
  slider.setAttribute("aria-label", "步骤");

  const controls = document.createElement("div");
  controls.className = "drawn-controls";
  controls.append(back, button_play, next, slider);
  strip.after(controls);
  strip.classList.add("drawn-stepping");
  strip.removeAttribute("tabindex");
  go(0);
}
