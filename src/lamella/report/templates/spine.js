(() => {
  "use strict";

  const { data, load, frame, index, millimetres, greys, paint, outline, stroke } = LamellaSpine;
  const COLOURS = { g0: "#8fd9b6", g1: "#ffd75e", g2: "#ff9a4d", g3: "#ff5c72", refused: "#b4bec8" };
  const WIPE_STEP = 2;
  const RATE = 2;
  const RULER_MM = 20;
  const NOTHING = 999;
  const MINUS = "\u2212";

  const root = document.querySelector("[data-spine]");
  const losses = JSON.parse(document.getElementById("spine-loss").textContent);
  const sections = [...root.querySelectorAll("[data-vertebra]")];
  const vertebrae = Object.fromEntries(data.vertebrae.map((each) => [each.level, each]));
  const settings = { wipe: 50, window: "bone", outlines: true, heights: true };
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const all = (selector, within = root) => [...within.querySelectorAll(selector)];
  let volumes = null;
  let active = null;
  let timer = 0;
  let alone = "";

  // One picture of a vertebra: its slice, both sides of the wipe, lines and words.

  class View {
    constructor(figure, vertebra) {
      this.figure = figure;
      this.vertebra = vertebra;
      this.kind = figure.dataset.view;
      this.box = frame(vertebra, this.kind);
      this.pane = figure.querySelector(".pane");
      this.slider = figure.querySelector("[data-slice]");
      this.pane.style.aspectRatio = `${this.box.cols} / ${this.box.rows}`;
      figure.style.setProperty("--part", this.box.cols);
      const middle = Math.round(index(this.box.through, vertebra.middle[this.box.through]));
      this.slider.max = this.box.slices - 1;
      this.slider.value = this.slice = clamp(middle, 0, this.box.slices - 1);
      this.twin = null;
      this.bind();
    }

    bind() {
      this.slider.addEventListener("input", () => { choose(this); this.show(Number(this.slider.value)); });
      this.pane.addEventListener("focus", () => choose(this));
      this.pane.addEventListener("pointerdown", (event) => {
        this.pane.focus({ preventScroll: true });
        if (this.vertebra.made) dragWipe(event, this.pane);
      });
      this.pane.addEventListener("wheel", (event) => {
        if (document.activeElement !== this.pane) return;
        event.preventDefault();
        this.step(Math.sign(event.deltaY));
      }, { passive: false });
    }

    step(by) { this.show(this.slice + by); }

    show(slice) {
      this.slice = clamp(slice, 0, this.box.slices - 1);
      this.slider.value = this.slice;
      this.draw();
      if (this.twin) this.twin.lines();
    }

    draw() {
      if (!volumes) return;
      const { id, status } = this.vertebra;
      for (const canvas of all("[data-side]", this.figure)) {
        const side = volumes[canvas.dataset.side];
        const { ids, values } = greys(side, this.kind, this.slice, this.box, id, settings.window);
        const context = paint(canvas, values, this.box);
        if (settings.outlines) {
          stroke(context, outline(ids, this.box, (each) => each && each !== id), "#ffffff70", 1.6);
          stroke(context, outline(ids, this.box, (each) => each === id), COLOURS[status], 3);
        }
      }
      this.words();
      this.lines();
    }

    words() {
      const mm = Math.round(millimetres(this.box.through, this.slice) - this.vertebra.middle[this.box.through]);
      const sides = this.kind === "sagittal" ? ["R", "L"] : ["A", "P"];
      const text = mm ? `${mm < 0 ? sides[0] : sides[1]} ${Math.abs(mm)}\u00a0mm` : "middle";
      this.figure.querySelector("[data-slice-words]").textContent = text;
      this.slider.setAttribute("aria-valuetext", text);
    }

    lines() {
      const { across, top, cols, rows } = this.box;
      const place = ([left, down, back]) => [
        index(across, across ? back : left) + 0.5, index(1, down) - top + 0.5];
      for (const drawing of all("[data-lines]", this.figure)) {
        drawing.setAttribute("viewBox", `0 0 ${cols} ${rows}`);
        const after = drawing.dataset.lines === "after";
        const known = this.vertebra.lines.filter((line) => this.kind === "sagittal" || line.zone === "middle");
        const drawn = known.filter((line) => (after ? line.after : line.before));
        const marks = settings.heights ? drawn.map((line) => this.line(line, after, place)) : [];
        drawing.innerHTML = this.cross() + marks.join("");
      }
    }

    // The front's words stand before its line, the back's behind it, the middle's above it.
    line(line, after, place) {
      const ends = (after ? line.after : line.before).map(place);
      const [[x0, y0], [x1, y1]] = ends;
      const side = this.kind === "coronal" ? "posterior" : line.zone;
      const anchor = { anterior: "end", middle: "middle", posterior: "start" }[side];
      const aside = { anterior: -1.4, middle: 0, posterior: 1.4 }[side];
      const x = side === "middle" ? x0 : (x0 + x1) / 2 + aside;
      const extra = !after && !this.vertebra.made && line.told;
      const y = side === "middle" ? y0 - (extra ? 4.2 : 1.3) : (y0 + y1) / 2 + (extra ? -0.4 : 1.1);
      const told = extra ? `<tspan class="told" x="${x.toFixed(2)}" dy="3">of ${line.told}</tspan>` : "";
      const caps = ends.map(([left, top]) => `M${(left - 1.3).toFixed(2)} ${top.toFixed(2)}h2.6`).join("");
      return `<path class="height ${after ? "told" : ""}" d="M${x0.toFixed(2)} ${y0.toFixed(2)}L${x1.toFixed(2)} ${y1.toFixed(2)}${caps}"/>`
        + `<text x="${x.toFixed(2)}" y="${y.toFixed(2)}" text-anchor="${anchor}">${after ? line.told : line.text}${told}</text>`;
    }

    cross() {
      if (!this.twin) return "";
      const at = (this.twin.slice + 0.5).toFixed(2);
      return `<path class="twin" d="M${at} 0V3M${at} ${this.box.rows - 3}V${this.box.rows}"/>`;
    }

    ruler() {
      const ruler = this.figure.querySelector("[data-ruler]");
      const width = (RULER_MM / data.spacing / this.box.cols) * this.pane.clientWidth;
      ruler.querySelector(".bar").style.width = `${width.toFixed(1)}px`;
      ruler.querySelector(".length").textContent = `${RULER_MM}\u00a0mm`;
    }
  }

  const views = new Map();

  function viewsOf(section) {
    const { vertebra: level } = section.dataset;
    if (!views.has(level)) {
      const pair = all("[data-view]", section).map((figure) => new View(figure, vertebrae[level]));
      [pair[0].twin, pair[1].twin] = [pair[1], pair[0]];
      views.set(level, pair);
      for (const view of pair) new ResizeObserver(() => view.ruler()).observe(view.pane);
    }
    return views.get(level);
  }

  function draw(section) {
    for (const view of viewsOf(section)) view.draw();
  }

  const drawAll = () => sections.filter((section) => section.open).forEach(draw);

  function choose(view) {
    if (active === view) return;
    active = view;
    const { level } = view.vertebra;
    for (const mark of all(".strip [data-go]")) mark.classList.toggle("here", mark.dataset.go === level);
    for (const figure of all("[data-view]")) figure.classList.toggle("chosen", figure === view.figure);
  }

  // Wipe and flicker, the same in every picture.

  function setWipe(percent) {
    settings.wipe = clamp(percent, 0, 100);
    stopFlicker();
    showWipe();
  }

  function showWipe() {
    const at = alone ? { before: 100, after: 0 }[alone] : settings.wipe;
    root.style.setProperty("--wipe", `${at.toFixed(2)}%`);
    root.classList.toggle("alone", Boolean(alone));
    root.classList.toggle("strip-shows-after", alone ? alone === "after" : pressed("[data-strip]"));
    const slider = root.querySelector("[data-wipe]");
    if (slider) slider.value = settings.wipe;
  }

  const pressed = (selector) => root.querySelector(selector)?.getAttribute("aria-pressed") === "true";

  function swap() {
    alone = alone === "after" ? "before" : "after";
    showWipe();
  }

  function stopFlicker() {
    clearInterval(timer);
    timer = 0;
    alone = "";
    root.querySelector("[data-flicker]")?.setAttribute("aria-pressed", "false");
  }

  function flicker() {
    if (calm()) { swap(); return; }
    if (timer) { stopFlicker(); showWipe(); return; }
    root.querySelector("[data-flicker]").setAttribute("aria-pressed", "true");
    timer = setInterval(swap, 1000 / RATE);
    swap();
  }

  function other() {
    if (timer) stopFlicker();
    swap();
  }

  function dragWipe(event, pane) {
    const move = (now) => setWipe(LamellaPage.percentAcross(pane, now));
    LamellaPage.follow(event, move);
    move(event);
  }

  // Window, overlays, vertebrae.

  function press(name, chosen) {
    for (const button of all(`[data-${name}]`)) button.setAttribute("aria-pressed", String(chosen(button)));
  }

  function setWindow(name) {
    settings.window = name;
    press("window", (button) => button.dataset.window === name);
    drawAll();
  }

  function toggle(name) {
    settings[name] = !settings[name];
    press("show", (button) => settings[button.dataset.show]);
    drawAll();
  }

  function go(level) {
    const section = sections.find((each) => each.dataset.vertebra === level);
    if (!section) return;
    section.open = true;
    draw(section);
    section.scrollIntoView({ block: "start", behavior: calm() ? "auto" : "smooth" });
    viewsOf(section)[0].pane.focus({ preventScroll: true });
  }

  function next(by) {
    const level = active ? active.vertebra.level : "";
    const at = sections.findIndex((section) => section.dataset.vertebra === level);
    const section = sections[clamp(at + by, 0, sections.length - 1)];
    if (section) go(section.dataset.vertebra);
  }

  // The map of loss under the cursor.

  function readLoss(figure, event) {
    const map = losses[figure.dataset.loss];
    const drawing = figure.querySelector("svg");
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    const col = Math.floor((place.x - map.box[0]) / map.step);
    const row = Math.floor((place.y - map.box[1]) / map.step);
    const value = map.codes[row]?.[col] ?? NOTHING;
    const read = figure.querySelector("[data-loss-read]");
    read.dataset.words ??= read.textContent;
    if (value === NOTHING) { read.textContent = read.dataset.words; return; }
    const aside = `${Math.abs(Math.round(place.x))} mm ${place.x < 0 ? "right" : "left"}`;
    const along = `${Math.abs(Math.round(place.y))} mm ${place.y < 0 ? "in front" : "behind"}`;
    read.textContent = `${String(value).replace("-", MINUS)}\u202f% lost, ${along}, ${aside}`;
  }

  // Buttons and keys.

  function onClick(event) {
    const button = event.target.closest("button, [data-go]");
    if (!button) return;
    const { go: level, window: name, show } = button.dataset;
    if (level) { event.preventDefault(); go(level); }
    else if (name) setWindow(name);
    else if (show) toggle(show);
    else if ("flicker" in button.dataset) flicker();
    else if ("swap" in button.dataset) other();
    else if ("strip" in button.dataset) {
      button.setAttribute("aria-pressed", String(!pressed("[data-strip]")));
      showWipe();
    }
  }

  const KEYS = {
    n: () => next(1),
    p: () => next(-1),
    o: () => toggle("outlines"),
    h: () => toggle("heights"),
    b: () => data.before && setWindow("bone"),
    s: () => data.before && setWindow("soft"),
    f: () => data.after && flicker(),
  };

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("textarea, select")) return;
    if (KEYS[event.key]) KEYS[event.key]();
    else if (event.key === " " && data.after && !event.target.closest("button, input, summary, a")) {
      event.preventDefault();
      other();
    } else if (event.key.startsWith("Arrow")) onArrow(event);
  }

  function onArrow(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
    const isFocused = active && document.activeElement === active.pane;
    const isAcross = event.key === "ArrowLeft" || event.key === "ArrowRight";
    if (event.target.closest("input") || !(isAcross || isFocused)) return;
    event.preventDefault();
    if (event.shiftKey && isAcross) { if (data.after) setWipe(settings.wipe + WIPE_STEP * by); }
    else if (active) active.step(by);
  }

  async function start() {
    volumes = await load();
    for (const section of sections) section.addEventListener("toggle", () => { if (section.open) draw(section); });
    drawAll();
    const first = sections.find((section) => section.open);
    if (first) choose(viewsOf(first)[0]);
    showWipe();
    root.dataset.ready = "yes";
  }

  root.querySelector("[data-wipe]")?.addEventListener("input", (event) => setWipe(Number(event.target.value)));
  for (const figure of all("[data-loss]")) {
    figure.querySelector("svg").addEventListener("pointermove", (event) => readLoss(figure, event));
    figure.querySelector("svg").addEventListener("pointerleave", (event) => readLoss(figure, event));
  }
  root.addEventListener("click", onClick);
  addEventListener("keydown", onKey);
  start();
})();
