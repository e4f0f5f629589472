(() => {
  "use strict";

  const REST_WIPE = 50;
  const MOST_ZOOM = 16;
  const DRAWN_PX = 1024;
  const KEPT_JOINTS = 3;
  const NORMAL_90 = 1.645;
  const FOG_ALPHA = 0.85;

  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const parsed = (id) => JSON.parse(document.getElementById(id).textContent);
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  const host = document.getElementById("joint");
  const templates = all('template[id^="joint-"]');
  const tables = colourTables(parsed("colour-tables"));
  const decoded = new Map();
  const view = { zoom: 1, x: 0, y: 0 };
  const settings = {
    wipe: REST_WIPE, sides: { a: "input", b: null }, brightness: 100, contrast: 100,
    contours: true, hatch: true, uncertainty: false, filter: "all",
  };
  let shown = 0;
  let article = null;
  let joint = null;
  let sweep = 0;

  // Pixels: decoded once per joint, kept for the last few joints.

  function colourTables(hexes) {
    const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
    return Object.fromEntries(Object.entries(hexes).map(([name, hex]) => [name, bytes(hex)]));
  }

  async function planes(addresses) {
    const named = Object.entries(addresses);
    const done = await Promise.all(named.map(([, address]) => LamellaPage.plane(address)));
    return Object.fromEntries(named.map(([name], place) => [name, done[place]]));
  }

  async function decode(index) {
    if (decoded.has(index)) return decoded.get(index);
    if (!document.getElementById(`pixels-${index}`)) return null;
    const data = parsed(`pixels-${index}`);
    const addresses = Object.entries(data.maps).map(([name, map]) => [name, map.image]);
    const layers = await planes(data.images);
    for (const [name, twin] of Object.entries(data.same)) layers[name] = layers[twin];
    const shares = await planes(data.shares);
    const result = { data, layers, shares, maps: await planes(Object.fromEntries(addresses)) };
    decoded.set(index, result);
    if (decoded.size > KEPT_JOINTS) decoded.delete(decoded.keys().next().value);
    return result;
  }

  // Painting: canvases are drawn larger than the image with smooth interpolation.

  function paint(canvas, source) {
    const factor = Math.max(1, Math.floor(DRAWN_PX / Math.max(source.width, source.height)));
    canvas.width = source.width * factor;
    canvas.height = source.height * factor;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
  }

  function coloured(codes, table, alphaOf) {
    const canvas = document.createElement("canvas");
    canvas.width = codes.cols;
    canvas.height = codes.rows;
    const context = canvas.getContext("2d");
    const image = context.createImageData(codes.cols, codes.rows);
    codes.values.forEach((code, place) => {
      image.data.set(table.subarray(3 * code, 3 * code + 3), 4 * place);
      image.data[4 * place + 3] = alphaOf(code);
    });
    context.putImageData(image, 0, 0);
    return canvas;
  }

  function paintPanels() {
    for (const canvas of all("[data-layer]", article)) {
      paint(canvas, joint.layers[canvas.dataset.layer].canvas);
    }
    for (const canvas of all("[data-map]", article)) {
      const name = canvas.dataset.map;
      paint(canvas, coloured(joint.maps[name], tables[joint.data.maps[name].colours], () => 255));
    }
    const veil = coloured(joint.maps.spread, tables.amount, (code) => (
      code ? Math.round(255 * FOG_ALPHA * Math.sqrt(code / 255)) : 0));
    for (const canvas of all("[data-fog]", article)) paint(canvas, veil);
  }

  function paintSide(side) {
    const layer = layerOf(settings.sides[side]);
    const box = find(`[data-side="${side}"]`, article);
    const canvas = find(".picture", box);
    paint(canvas, joint.layers[layer.key].canvas);
    canvas.setAttribute("aria-label", `Side ${side.toUpperCase()}: ${layer.alt}`);
    box.dataset.kind = layer.kind;
    find("[data-side-label]", box).textContent = layer.label;
    find("[data-side-tag]", box).textContent = layer.tag;
    find(`[data-choose="${side}"]`, article).value = layer.key;
    for (const tint of ["input", "upper", "lower", "soft", "recomposed", "third", "fourth", "fifth"]) {
      box.classList.toggle(`tint-${tint}`, tint === layer.tint);
    }
    outline(find(".marks", box), layer);
    markUse();
  }

  function layerOf(key) {
    return joint.data.layers.find((layer) => layer.key === key);
  }

  function markUse() {
    for (const panel of all("[data-panel]", article)) {
      const sides = ["a", "b"].filter((side) => settings.sides[side] === panel.dataset.panel);
      find("[data-in-use]", panel).textContent = sides.join(" ").toUpperCase();
      panel.classList.toggle("used", sides.length > 0);
    }
  }

  function outline(marks, layer) {
    const kind = layer ? layer.kind : "map";
    const bones = joint.data.layers.filter((other) => other.kind === "bone");
    all(".contour", marks).forEach((old) => old.remove());
    const wanted = bones.filter((bone) => (
      kind === "soft" ? false : !layer || !layer.bone || bone.bone === layer.bone));
    for (const bone of wanted) {
      const path = find(".seam", marks).cloneNode(false);
      path.setAttribute("class", `contour tint-${bone.tint}`);
      path.setAttribute("d", joint.data.outlines[bone.key] || "");
      marks.append(path);
    }
    const overlap = joint.data.overlap;
    find(".hatch", marks).setAttribute("d", kind === "input" ? overlap : "");
    const own = bones.find((bone) => layer && layer.bone && bone.bone === layer.bone);
    find(".seam", marks).setAttribute("d", own ? joint.data.seams[own.key] || "" : "");
  }

  function outlinePanels() {
    for (const box of all("[data-viewport]", article)) {
      const canvas = find(".picture", box);
      if (canvas.dataset.layer) outline(find(".marks", box), layerOf(canvas.dataset.layer));
      else if (canvas.dataset.map) outline(find(".marks", box), null);
    }
  }

  // The view: one zoom and offset for every panel, as properties of the article.

  function applyView() {
    const limit = view.zoom - 1;
    view.x = clamp(view.x, -limit, 0);
    view.y = clamp(view.y, -limit, 0);
    article.style.setProperty("--zoom", view.zoom.toFixed(4));
    article.style.setProperty("--x", `${(100 * view.x).toFixed(3)}%`);
    article.style.setProperty("--y", `${(100 * view.y).toFixed(3)}%`);
    find("[data-zoom-note]", article).textContent = `zoom ${view.zoom.toFixed(1)}×`;
    fitMarks();
    fitRuler();
  }

  function fitMarks() {
    const cols = joint.data.size[1];
    for (const box of all("[data-viewport]", article)) {
      const unit = cols / (Math.max(1, box.clientWidth) * view.zoom);
      const marks = find(".marks", box);
      marks.style.setProperty("--unit", unit.toFixed(5));
      find("pattern", marks).setAttribute("patternTransform", `rotate(-45) scale(${unit.toFixed(5)})`);
    }
  }

  function fitRuler() {
    const { per_pixel: length, unit } = joint.data.ruler;
    const ruler = find("[data-ruler]", article);
    const width = find(".viewport", article).clientWidth * view.zoom;
    const wanted = 0.28 * (find(".viewport", article).clientWidth / width) * joint.data.source[1] * length;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const nice = [5, 2, 1].find((step) => step * power <= wanted) * power;
    find(".bar", ruler).style.width = `${(nice / (joint.data.source[1] * length) * width).toFixed(1)}px`;
    find(".length", ruler).textContent = `${Number(nice.toPrecision(2))}\u00a0${unit}`;
  }

  function zoomAt(box, event) {
    if (event.deltaY > 0 && view.zoom === 1) return;
    event.preventDefault();
    const edge = box.getBoundingClientRect();
    const px = (event.clientX - edge.left) / edge.width;
    const py = (event.clientY - edge.top) / edge.height;
    const zoom = clamp(view.zoom * Math.exp(-0.0016 * event.deltaY), 1, MOST_ZOOM);
    view.x = px - ((px - view.x) * zoom) / view.zoom;
    view.y = py - ((py - view.y) * zoom) / view.zoom;
    view.zoom = zoom;
    applyView();
  }

  function resetView() {
    Object.assign(view, { zoom: 1, x: 0, y: 0 });
    applyView();
  }

  function pixelAt(box, event) {
    const edge = box.getBoundingClientRect();
    const [rows, cols] = joint.data.size;
    const along = ((event.clientX - edge.left) / edge.width - view.x) / view.zoom;
    const down = ((event.clientY - edge.top) / edge.height - view.y) / view.zoom;
    return { along, down, row: clamp(Math.floor(down * rows), 0, rows - 1), col: clamp(Math.floor(along * cols), 0, cols - 1) };
  }

  // Read-out of every layer at one pixel.

  function readOut(place, words) {
    const [rows, cols] = joint.data.size;
    const [sourceRows, sourceCols] = joint.data.source;
    const row = Math.min(sourceRows - 1, Math.floor(((place.row + 0.5) * sourceRows) / rows));
    const col = Math.min(sourceCols - 1, Math.floor(((place.col + 0.5) * sourceCols) / cols));
    find("[data-where]", article).textContent = `row ${row}, column ${col}${words}`;
    article.style.setProperty("--cx", `${(100 * (place.col + 0.5)) / cols}%`);
    article.style.setProperty("--cy", `${(100 * (place.row + 0.5)) / rows}%`);
    for (const layer of joint.data.layers) readLayer(layer, place.row * cols + place.col);
  }

  function readLayer(layer, place) {
    const row = all("[data-row]", article).find((line) => line.dataset.row === layer.key);
    if (!row) return;
    const value = joint.layers[layer.key].values[place] / 255;
    find('[data-cell="intensity"]', row).textContent = value.toFixed(3);
    if (layer.kind !== "bone") return;
    const known = joint.layers[`true-${layer.bone}`];
    if (known) find('[data-cell="true"]', row).textContent = (known.values[place] / 255).toFixed(3);
    const spread = joint.data.maps.spread.scale * (joint.maps.spread.values[place] / 255);
    const share = joint.shares[layer.key].values[place] / 255;
    const soft = joint.layers.soft.values[place] / 255;
    const whole = joint.layers.input.values[place] / 255;
    const bones = Math.log((1 - Math.min(soft, 0.998)) / (1 - Math.min(whole, 0.998)));
    const width = NORMAL_90 * spread * (1 - value) * Math.max(0, bones) * joint.data.levels;
    const sure = spread === 0;
    find('[data-cell="width"]', row).textContent = sure ? "–" : `± ${width < 10 ? width.toFixed(1) : width.toFixed(0)}`;
    const percent = `${(100 * share).toFixed(0)}\u202f%`;
    find('[data-cell="share"]', row).textContent = sure ? percent : `${percent} ± ${(100 * NORMAL_90 * spread).toFixed(0)}`;
  }

  // Wipe, window and toggles.

  function setWipe(percent) {
    settings.wipe = clamp(percent, 0, 100);
    article.style.setProperty("--wipe", `${settings.wipe.toFixed(2)}%`);
    const slider = find("[data-wipe]", article);
    slider.value = settings.wipe;
    slider.setAttribute("aria-valuetext", `A on ${Math.round(settings.wipe)} per cent of the picture`);
  }

  function stopSweep() {
    cancelAnimationFrame(sweep);
    sweep = 0;
  }

  function openingSweep() {
    if (calm()) return;
    const began = performance.now();
    const step = (now) => {
      const part = clamp((now - began - 350) / 1500, 0, 1);
      setWipe(100 - (100 - REST_WIPE) * (1 - (1 - part) ** 3));
      sweep = part < 1 ? requestAnimationFrame(step) : 0;
    };
    setWipe(100);
    sweep = requestAnimationFrame(step);
  }

  function setWindow(name, value) {
    const slider = find(`[data-window="${name}"]`, article);
    settings[name] = clamp(value, Number(slider.min), Number(slider.max));
    slider.value = settings[name];
    find("output", slider.parentElement).textContent = Math.round(settings[name]);
    article.style.setProperty(`--${name}`, (settings[name] / 100).toFixed(3));
    const stored = settings.brightness === 100 && settings.contrast === 100;
    find("[data-window-note]", article).textContent = stored
      ? "Window: values as stored." : "Window changed for viewing, on every panel alike; reset shows values as stored.";
  }

  function fitWindow() {
    const sorted = Uint8Array.from(joint.layers.input.values).sort();
    const low = sorted[Math.floor(0.02 * sorted.length)] / 255;
    const high = sorted[Math.floor(0.998 * (sorted.length - 1))] / 255;
    const gain = 0.94 / Math.max(0.05, high - low);
    const contrast = 1 + 2 * gain * low - 0.08;
    setWindow("contrast", 100 * contrast);
    setWindow("brightness", (100 * gain) / contrast);
  }

  function toggle(name, on = !settings[name]) {
    settings[name] = on;
    article.classList.toggle(`with-${name}`, on);
    find(`[data-toggle="${name}"]`, article).setAttribute("aria-pressed", String(on));
  }

  function choose(side, key) {
    settings.sides[side] = key;
    paintSide(side);
  }

  function swap() {
    const { a, b } = settings.sides;
    settings.sides = { a: b, b: a };
    paintSide("a");
    paintSide("b");
  }

  const actions = {
    swap,
    flip: () => setWipe(settings.wipe > 50 ? 0 : 100),
    fit: fitWindow,
    reset: () => {
      resetView();
      setWipe(REST_WIPE);
      setWindow("brightness", 100);
      setWindow("contrast", 100);
    },
    next: () => step(1),
    previous: () => step(-1),
  };

  // Pointer: drag pans (or wipes when there is nothing to pan), shift-drag sets the window.

  function follow(box, event) {
    if (event.button !== 0 || event.target.closest("input, button, select")) return;
    const hero = box.closest("[data-hero]");
    const start = { x: event.clientX, y: event.clientY, view: { ...view }, brightness: settings.brightness, contrast: settings.contrast };
    const onLine = hero && Math.abs(event.clientX - lineAt(hero)) < 16;
    const drag = event.shiftKey ? windowDrag : onLine || (hero && view.zoom === 1) ? wipeDrag : panDrag;
    const move = (now) => drag(now, start, box, hero);
    stopSweep();
    LamellaPage.follow(event, move);
  }

  function lineAt(hero) {
    const edge = hero.getBoundingClientRect();
    return edge.left + (edge.width * settings.wipe) / 100;
  }

  function windowDrag(now, start) {
    setWindow("contrast", start.contrast + 0.5 * (now.clientX - start.x));
    setWindow("brightness", start.brightness - 0.5 * (now.clientY - start.y));
  }

  function wipeDrag(now, start, box, hero) {
    setWipe(LamellaPage.percentAcross(hero, now));
  }

  function panDrag(now, start, box) {
    const edge = box.getBoundingClientRect();
    view.x = start.view.x + (now.clientX - start.x) / edge.width;
    view.y = start.view.y + (now.clientY - start.y) / edge.height;
    applyView();
  }

  function bindArticle() {
    for (const box of all("[data-viewport]", article)) {
      box.addEventListener("wheel", (event) => zoomAt(box, event), { passive: false });
      box.addEventListener("dblclick", resetView);
      box.addEventListener("pointerdown", (event) => follow(box, event));
      box.addEventListener("pointermove", (event) => readOut(pixelAt(box, event), ""));
    }
    const wipe = find("[data-wipe]", article);
    wipe.addEventListener("input", () => { stopSweep(); setWipe(Number(wipe.value)); });
    for (const slider of all("[data-window]", article)) {
      slider.addEventListener("input", () => setWindow(slider.dataset.window, Number(slider.value)));
    }
    for (const list of all("[data-choose]", article)) {
      list.addEventListener("change", () => choose(list.dataset.choose, list.value));
    }
    new ResizeObserver(() => { if (joint) applyView(); }).observe(find("[data-hero]", article));
  }

  // Joints.

  function keepSides() {
    const keys = joint.data.layers.map((layer) => layer.key);
    if (!keys.includes(settings.sides.a)) settings.sides.a = keys[0];
    if (!keys.includes(settings.sides.b)) settings.sides.b = keys[1];
  }

  function restore() {
    keepSides();
    paintPanels();
    outlinePanels();
    paintSide("a");
    paintSide("b");
    for (const name of ["brightness", "contrast"]) setWindow(name, settings[name]);
    for (const name of ["contours", "hatch", "uncertainty"]) toggle(name, settings[name]);
    setWipe(settings.wipe);
    resetView();
    const [row, col] = joint.data.start;
    const [rows, cols] = joint.data.source;
    const scaled = { row: Math.floor((row * joint.data.size[0]) / rows), col: Math.floor((col * joint.data.size[1]) / cols) };
    readOut(scaled, joint.data.overlap ? " · middle of the overlap" : " · middle of the image");
  }

  async function show(index) {
    shown = index;
    joint = null;
    stopSweep();
    host.replaceChildren(templates[index].content.cloneNode(true));
    article = find("article", host);
    markShown();
    const ready = await decode(index);
    if (shown !== index || !ready) return;
    joint = ready;
    bindArticle();
    restore();
    article.dataset.ready = "yes";
    document.dispatchEvent(new CustomEvent("lamella:joint", { detail: { article, index } }));
  }

  function markShown() {
    for (const button of all("[data-joint]")) {
      const here = Number(button.dataset.joint) === shown;
      if (here) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (here) button.scrollIntoView({ block: "nearest" });
    }
    const place = find("[data-place]");
    if (place) place.textContent = `${shown + 1} of ${templates.length}`;
  }

  function step(by) {
    const open = all(".joints li:not([hidden]) [data-joint]").map((button) => Number(button.dataset.joint));
    const ahead = by > 0 ? open.find((index) => index > shown) : open.reverse().find((index) => index < shown);
    if (ahead !== undefined) show(ahead);
  }

  function filterBy(status) {
    settings.filter = status;
    for (const item of all(".joints li")) item.hidden = status !== "all" && item.dataset.status !== status;
    for (const button of all("[data-filter]")) button.setAttribute("aria-pressed", String(button.dataset.filter === status));
    const open = all(".joints li:not([hidden]) [data-joint]").map((button) => Number(button.dataset.joint));
    if (open.length && !open.includes(shown)) show(open[0]);
  }

  // Keyboard and buttons.

  const keys = {
    c: () => toggle("contours"), o: () => toggle("hatch"), u: () => toggle("uncertainty"),
    r: actions.reset, w: actions.fit, f: actions.flip,
  };

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
    if (event.key === "n" || event.key === "p") return step(event.key === "n" ? 1 : -1);
    if (!joint) return;
    stopSweep();
    const arrow = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (arrow && !event.target.closest("input")) {
      event.preventDefault();
      setWipe(settings.wipe + arrow * (event.shiftKey ? 10 : 2));
    } else if (/^[1-9]$/.test(event.key)) {
      const layer = joint.data.layers[Number(event.key) - 1];
      if (layer) choose("b", layer.key);
    } else if (keys[event.key]) keys[event.key]();
  }

  function onClick(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { joint: index, filter, toggle: name, pick, do: action } = button.dataset;
    if (index !== undefined) show(Number(index));
    else if (filter) filterBy(filter);
    else if (action === "next" || action === "previous") actions[action]();
    else if (joint) {
      stopSweep();
      if (name) toggle(name);
      else if (pick) choose("b", pick);
      else if (action) actions[action]();
    }
  }

  addEventListener("keydown", onKey);
  document.addEventListener("click", onClick);
  if (templates.length) show(0).then(() => { if (joint) { fitWindow(); openingSweep(); } });
})();
