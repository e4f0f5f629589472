(() => {
  "use strict";

  const NOTICE = "Synthetic, research use only, not for diagnosis";
  const MINUS = "\u2212";
  const BARS = 19;
  const TRIALS = 12;
  const TRIAL = { frames: 10, milliseconds: 500 };
  const SWEEP_MS = 7000;
  const QUIET_MS = 450;
  const LABEL_PX = 96;
  const DEGREES = "°";

  const find = (selector, root) => root.querySelector(selector);
  const all = (selector, root) => [...root.querySelectorAll(selector)];
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const signed = (value, digits) => {
    const text = Math.abs(value).toFixed(digits);
    return Number(text) !== 0 && value < 0 ? MINUS + text : text;
  };

  let open = null;

  async function mount(section, joint) {
    const live = { section, joint, closed: false };
    open = live;
    live.maps = await LamellaDrawing.unpacked(joint);
    if (live.closed) return;
    live.scale = joint.spacing === null ? 1 : joint.spacing;
    live.digits = joint.spacing === null ? 1 : 2;
    live.toggles = { masks: false, contours: true, width: true, close: false };
    live.state = atRest(live);
    live.pose = { along_px: 0, across_px: 0, rotation_deg: 0 };
    bind(live);
    begin(live);
    section.lamella = handle(live);
    section.dataset.ready = "yes";
    chooseWay(live);
  }

  function leave(live) {
    live.closed = true;
    cancelAnimationFrame(live.sweep);
    (live.ways || []).forEach((way) => way.close());
    if (open === live) open = null;
  }

  function atRest(live) {
    const [level, width] = live.joint.start.window;
    return {
      jsw: live.joint.start.jsw_px * live.scale, shift: 0, rotation: 0,
      soft: 100, upper: 100, lower: 100, level, width,
    };
  }

  // Poses: the width is commanded, and what would be refused is not reached.

  function poseOf(live, state) {
    return LamellaGeometry.posed(live.joint, {
      jsw_px: state.jsw / live.scale, across_px: state.shift / live.scale, rotation_deg: state.rotation,
    });
  }

  function tried(live, state) {
    const { joint, maps } = live;
    const pose = poseOf(live, state);
    const found = pose && LamellaGeometry.space(joint, pose);
    if (!found) return { reason: "the bones would no longer face each other" };
    if (LamellaGeometry.farthest(joint, found.motions) > joint.rules.farthest_px) {
      return { reason: "a bone would move farther than the image can show" };
    }
    const lost = found.motions.findIndex((motion, k) => (
      LamellaDrawing.overAir(maps, k, LamellaGeometry.inverse(joint, motion)) > joint.rules.most_over_air));
    return { state, pose, reason: lost < 0 ? null : `the ${joint.bones[lost].name} bone would lie over air` };
  }

  function reach(live, name, wanted) {
    const trial = (value) => tried(live, { ...live.state, [name]: value });
    const whole = trial(wanted);
    if (!whole.reason) return whole;
    let best = { state: live.state, pose: live.pose };
    let [inside, outside] = [live.state[name], wanted];
    for (let step = 0; step < TRIALS; step += 1) {
      const middle = 0.5 * (inside + outside);
      const part = trial(middle);
      if (part.reason) outside = middle;
      else { inside = middle; best = part; }
    }
    return { ...best, reason: whole.reason };
  }

  function set(live, name, wanted) {
    let reason = null;
    if (["jsw", "shift", "rotation"].includes(name)) {
      const reached = reach(live, name, wanted);
      ({ reason } = reached);
      live.state = reached.state;
      live.pose = reached.pose;
    } else live.state = { ...live.state, [name]: wanted };
    tell(live, reason ? `Limit: ${reason}.` : "");
    show(live, name);
    refresh(live);
  }

  function reset(live) {
    stopSweep(live);
    live.state = atRest(live);
    live.pose = { along_px: 0, across_px: 0, rotation_deg: 0 };
    tell(live, "");
    Object.keys(live.state).forEach((name) => show(live, name));
    refresh(live);
  }

  // Drawing: one frame for as many changes as fall into it.

  function begin(live) {
    const canvases = all("[data-live-canvas]", live.section);
    const [first, second] = canvases;
    live.joint.bones.forEach((bone, k) => {
      find(`[data-live-contour="${k}"]`, live.section).setAttribute("d", drawn(live, bone.arc));
    });
    live.ways = [LamellaDrawing.onCanvas(second, live.maps)];
    const graphic = LamellaDrawing.onWebGl(first, live.maps);
    if (graphic) live.ways.push(graphic);
    first.addEventListener("webglcontextlost", () => { if (!live.closed) use(live, "canvas"); });
    use(live, "canvas");
    Object.keys(live.state).forEach((name) => show(live, name));
    Object.keys(live.toggles).forEach((name) => toggle(live, name, live.toggles[name]));
    paint(live);
    new ResizeObserver(() => { if (!live.closed) frameView(live); }).observe(find("[data-live-view]", live.section));
  }

  // The faster way of those that work here, by a few frames of each.

  async function chooseWay(live) {
    let best = null;
    for (const way of live.ways.length > 1 ? live.ways : []) {
      use(live, way.name);
      const cost = await LamellaDrawing.frameCost(way, viewOf(live, live.pose), TRIAL);
      if (live.closed) return;
      if (!best || cost < best.cost) best = { way, cost };
    }
    if (best) use(live, best.way.name);
    live.section.dataset.timed = "yes";
  }

  function use(live, name) {
    live.way = live.ways.find((way) => way.name === name) || live.ways[0];
    live.ways.forEach((way) => { way.canvas.hidden = way !== live.way; });
    find("[data-live-way]", live.section).textContent = live.way.name === "webgl2" ? "drawn with WebGL2" : "drawn on canvas";
    refresh(live);
  }

  function viewOf(live, pose) {
    const { state, joint } = live;
    const moving = LamellaGeometry.motions(joint, pose);
    return {
      places: moving.map((motion) => LamellaGeometry.inverse(joint, motion)),
      opacity: [state.soft, state.upper, state.lower].map((percent) => percent / 100),
      low: (state.level - 0.5 * state.width) / 100, high: (state.level + 0.5 * state.width) / 100,
    };
  }

  function refresh(live) {
    if (!live.pending) live.pending = requestAnimationFrame((now) => { live.pending = 0; paint(live, now); });
  }

  function paint(live, now) {
    if (live.closed) return;
    if (!live.section.isConnected) return leave(live);
    live.way.draw(viewOf(live, live.pose));
    live.found = LamellaGeometry.space(live.joint, live.pose);
    overlay(live);
    readOut(live);
    chart(live);
    if (now) count(live, now);
  }

  function count(live, now) {
    const frames = (live.frames || []).filter((time) => now - time < 1000);
    live.frames = [...frames, now];
    if (frames.length < 8) return;
    const rate = (1000 * frames.length) / (now - frames[0]);
    find("[data-live-rate]", live.section).textContent = ` · ${rate.toFixed(0)} frames/s`;
  }

  // Overlays, in pixels of the page with (0, 0) at the corner of the first.

  function onPage(live, [row, col]) {
    const [rows, cols] = [0, 1].map((k) => live.joint.source[k] / live.joint.size[k]);
    return [(col + 0.5) / cols, (row + 0.5) / rows];
  }

  const text = ([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`;
  const drawn = (live, points) => `M${points.map((at) => text(onPage(live, at))).join("L")}`;

  function overlay(live) {
    const { joint, found, section } = live;
    joint.bones.forEach((bone, k) => {
      find(`[data-live-bone="${k}"]`, section).setAttribute("transform", placed(live, found.motions[k]));
    });
    const chosen = Array.from({ length: BARS }, (_, k) => Math.round(found.from + (k * (found.to - found.from)) / (BARS - 1)));
    const bar = (k) => drawn(live, [found.lower, found.upper].map((side) => LamellaGeometry.point(found.frame, found.across[k], side[k])));
    for (const [name, fits] of [["open", (w) => w >= 0], ["closed", (w) => w < 0]]) {
      find(`[data-live-bars="${name}"]`, section).setAttribute("d", chosen.filter((k) => fits(found.width[k])).map(bar).join(""));
    }
    mean(live);
  }

  function placed(live, motion) {
    const { joint } = live;
    const [rows, cols] = [0, 1].map((k) => joint.source[k] / joint.size[k]);
    const turn = (motion.rotation_deg * Math.PI) / 180;
    const [x, y] = onPage(live, LamellaGeometry.moved(motion, [-0.5, -0.5]));
    const parts = [Math.cos(turn), (-Math.sin(turn) * cols) / rows, (Math.sin(turn) * rows) / cols, Math.cos(turn), x, y];
    return `matrix(${parts.map((part) => part.toFixed(6)).join(" ")})`;
  }

  // The mean width: both contours' mean heights, and the distance between them.

  function mean(live) {
    const { found, section } = live;
    const [left, right] = [found.across[found.from], found.across[found.to]];
    const inner = found.lower.subarray(found.from, found.to + 1);
    const lower = inner.reduce((sum, value) => sum + value, 0) / inner.length;
    const upper = lower + found.jsw_px;
    const beside = right + 0.1 * (right - left);
    const place = (across, along) => LamellaGeometry.point(found.frame, across, along);
    const level = (along) => drawn(live, [place(left, along), place(beside, along)]);
    find("[data-live-mean]", section).setAttribute("d", level(lower) + level(upper));
    find("[data-live-caliper]", section).setAttribute("d", drawn(live, [place(beside, lower), place(beside, upper)]));
    const [x, y] = onPage(live, place(beside, 0.5 * (lower + upper)));
    const label = find("[data-live-label]", section);
    label.style.left = `${(100 * x) / live.joint.size[1]}%`;
    label.style.top = `${(100 * y) / live.joint.size[0]}%`;
    label.textContent = lengthText(live, found.jsw_px);
    label.classList.toggle("closed", found.jsw_px < 0);
    const view = find("[data-live-view]", section).clientWidth;
    const [zoom, edge] = live.frame || [1, 0];
    label.classList.toggle("tucked", view * (edge + (zoom * x) / live.joint.size[1]) > view - LABEL_PX);
  }

  // Read-out.

  const lengthText = (live, px) => `${signed(px * live.scale, live.digits)}\u00a0${live.joint.unit}`;

  function measures(live) {
    const { found, scale, digits } = live;
    const lengths = ["jsw", "minimum", "contact"].map((name) => [
      name, found[`${name}_px`] * scale, found[`${name}_sd_px`] * scale, live.joint.unit]);
    lengths.push(["area", found.area_px2 * scale ** 2, found.area_sd_px2 * scale ** 2, live.joint.square]);
    return lengths.map(([name, value, sd, unit]) => ({ name, unit, value: signed(value, digits), sd: sd.toFixed(digits) }));
  }

  function readOut(live) {
    const said = measures(live);
    for (const { name, value, sd, unit } of said) {
      const cell = find(`[data-live-figure="${name}"]`, live.section);
      find("b", cell).textContent = value;
      find("[data-sd]", cell).textContent = `± ${sd}\u00a0${unit}`;
      cell.classList.toggle("closed", value.startsWith(MINUS));
    }
    clearTimeout(live.speaking);
    live.speaking = setTimeout(() => {
      const words = said.map(({ name, value, sd, unit }) => `${name} ${value} ± ${sd} ${unit}`);
      find("[data-live-spoken]", live.section).textContent = words.join(", ").replace("jsw", "Joint space width");
    }, QUIET_MS);
  }

  function tell(live, words) {
    find("[data-live-message]", live.section).textContent = words;
  }

  // The width profile as a small chart.

  const CHART = { left: 34, right: 356, top: 8, bottom: 92, points: 80 };

  function chart(live) {
    const { found, scale, section } = live;
    const width = found.width.map((px) => px * scale);
    const [first, last] = [found.across[0], found.across[found.across.length - 1]];
    const unit = live.joint.spacing === null ? 10 : 1;
    const middles = width.subarray(found.from, found.to + 1);
    const low = Math.min(0, Math.floor(Math.min(...middles) / unit) * unit);
    const high = Math.max(2 * unit, Math.ceil(Math.max(...middles) / unit) * unit);
    const x = (across) => CHART.left + ((CHART.right - CHART.left) * (across - first)) / (last - first);
    const y = (value) => CHART.bottom - ((CHART.bottom - CHART.top) * (value - low)) / (high - low);
    const course = (from, to) => Array.from({ length: CHART.points + 1 }, (_, part) => {
      const k = Math.round(from + ((to - from) * part) / CHART.points);
      return `${x(found.across[k]).toFixed(1)} ${y(width[k]).toFixed(1)}`;
    }).join("L");
    const [left, right] = [x(found.across[found.from]), x(found.across[found.to])];
    const middle = y(found.jsw_px * scale);
    const put = (name, d) => find(`[data-chart="${name}"]`, section).setAttribute("d", d);
    put("central", `M${left} ${CHART.top}H${right}V${CHART.bottom}H${left}Z`);
    put("area", `M${left} ${y(0)}L${course(found.from, found.to)}L${right} ${y(0)}Z`);
    put("zero", `M${CHART.left} ${y(0)}H${CHART.right}`);
    put("line", `M${course(0, width.length - 1)}`);
    put("mean", `M${left} ${middle}H${right}`);
    for (const [name, value] of [["high", high], ["nought", 0], ["low", low]]) {
      const mark = find(`[data-chart-mark="${name}"]`, section);
      mark.setAttribute("y", y(value) + 3.5);
      mark.textContent = name === "low" && low === 0 ? "" : signed(value, 0);
    }
  }

  // The frame: close-up, ruler, sliders, toggles.

  function frameView(live) {
    const { joint, section } = live;
    const found = LamellaGeometry.space(joint, { along_px: 0, across_px: 0, rotation_deg: 0 });
    const stretch = found.across[found.across.length - 1] - found.across[0];
    const zoom = live.toggles.close ? clamp(joint.source[1] / (1.45 * stretch), 1.25, 4) : 1;
    const [x, y] = onPage(live, joint.frame.origin).map((place, k) => place / joint.size[1 - k]);
    const stage = find("[data-live-stage]", section);
    const [left, top] = [x, y].map((place) => clamp(0.5 - zoom * place, 1 - zoom, 0));
    stage.style.transform = `translate(${(100 * left).toFixed(2)}%, ${(100 * top).toFixed(2)}%) scale(${zoom.toFixed(3)})`;
    live.frame = [zoom, left];
    stage.style.setProperty("--zoom", zoom.toFixed(3));
    ruler(live, zoom);
    if (live.found) mean(live);
  }

  function ruler(live, zoom) {
    const view = find("[data-live-view]", live.section);
    const unitPx = (view.clientWidth * zoom) / (live.joint.source[1] * live.scale);
    const wanted = (0.26 * view.clientWidth) / unitPx;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const nice = [5, 2, 1].find((step) => step * power <= wanted) * power;
    find("[data-live-ruler] .bar", view).style.width = `${(nice * unitPx).toFixed(1)}px`;
    find("[data-live-ruler] .length", view).textContent = `${Number(nice.toPrecision(2))}\u00a0${live.joint.unit}`;
  }

  function show(live, name) {
    const slider = find(`[data-live-set="${name}"]`, live.section);
    const value = live.state[name];
    slider.value = value;
    const unit = slider.dataset.unit;
    const digits = unit === "%" ? 0 : unit === DEGREES ? 1 : live.digits;
    const said = `${signed(value, digits)}${unit === DEGREES || unit === "%" ? "" : "\u00a0"}${unit}`;
    find("output", slider.parentElement).textContent = said;
    slider.setAttribute("aria-valuetext", said.replace("\u00a0", " "));
    const part = (value - slider.min) / (slider.max - slider.min);
    slider.style.setProperty("--part", `${(100 * clamp(part, 0, 1)).toFixed(1)}%`);
  }

  function toggle(live, name, on) {
    live.toggles[name] = on;
    live.section.classList.toggle(`live-${name}`, on);
    find(`[data-live-toggle="${name}"]`, live.section).setAttribute("aria-pressed", String(on));
    if (name === "close") frameView(live);
  }

  function sweep(live) {
    if (live.sweep) return stopSweep(live);
    const slider = find('[data-live-set="jsw"]', live.section);
    const [low, high] = [Number(slider.min), Number(slider.max)];
    const phase = Math.acos(clamp(1 - (2 * (live.state.jsw - low)) / (high - low), -1, 1));
    const began = performance.now();
    const step = (now) => {
      const part = 0.5 - 0.5 * Math.cos(phase + (2 * Math.PI * (now - began)) / SWEEP_MS);
      if (live.closed) return;
      set(live, "jsw", low + (high - low) * part);
      live.sweep = requestAnimationFrame(step);
    };
    live.sweep = requestAnimationFrame(step);
    find('[data-live-do="sweep"]', live.section).setAttribute("aria-pressed", "true");
  }

  function stopSweep(live) {
    cancelAnimationFrame(live.sweep);
    live.sweep = 0;
    find('[data-live-do="sweep"]', live.section).setAttribute("aria-pressed", "false");
  }

  // Files.

  function stem(live) {
    const safe = live.joint.name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "joint";
    const width = (live.found.jsw_px * live.scale).toFixed(live.digits);
    return `${safe}_synthetic_research-use-only_jsw${width}${live.joint.unit}`;
  }

  const words = () => ({ Title: "Synthetic joint", Comment: NOTICE, Software: "Lamella" });

  function picture(live) {
    const values = LamellaDrawing.intensities(live.maps, viewOf(live, live.pose));
    const codes = Uint16Array.from(values, (value) => Math.round(65535 * clamp(value, 0, 1)));
    return LamellaFiles.png(codes, live.joint.size, words());
  }

  function outlinePng(live, k) {
    const place = viewOf(live, live.pose).places[k];
    const inside = LamellaDrawing.outline(live.maps, k, place).map((value) => 255 * value);
    return LamellaFiles.png(inside, live.joint.size, words());
  }

  function truth(live) {
    const { joint, pose, state } = live;
    const found = LamellaGeometry.space(joint, pose);
    const named = (values) => Object.fromEntries(joint.bones.map((bone, k) => [bone.name, values[k]]));
    const figures = Object.fromEntries(["jsw", "minimum", "contact"].flatMap((name) => (
      ["", "_sd"].map((end) => [`${name}${end}`, found[`${name}${end}_px`] * live.scale]))));
    return {
      notice: NOTICE, joint: joint.name, side: joint.side, unit: joint.unit, unit_of_area: joint.square,
      pixel_spacing_mm: joint.spacing, pixel_spacing_source: joint.spacing_source,
      points: "(row, col) in pixels of the source; (0, 0) is the centre of the first pixel",
      source_shape: joint.source, image_shape: joint.size, pose,
      joint_space: { ...figures, area: found.area_px2 * live.scale ** 2, area_sd: found.area_sd_px2 * live.scale ** 2 },
      profile: { across_px: [...found.across], width_px: [...found.width], central_from_to: [found.from, found.to] },
      frame: { origin_px: found.frame.origin, axis: found.frame.axis },
      contours_px: named(LamellaGeometry.contours(joint, found)), landmarks_px: LamellaGeometry.landmarks(joint, found),
      motions: named(found.motions), opacity_percent: { soft: state.soft, upper: state.upper, lower: state.lower },
      window_percent: { level: state.level, width: state.width, applied_to_image: false },
    };
  }

  async function saveImage(live) {
    const name = `${stem(live)}.png`;
    LamellaFiles.save(name, await picture(live), "image/png");
    tell(live, `Saved ${name}: 16 bit, before the window.`);
  }

  async function saveTruth(live) {
    const name = stem(live);
    const told = new TextEncoder().encode(JSON.stringify(truth(live), null, 1));
    const entries = { [`${name}/truth.json`]: told, [`${name}/image.png`]: await picture(live) };
    for (const [k, bone] of live.joint.bones.entries()) entries[`${name}/mask_${bone.name}.png`] = await outlinePng(live, k);
    LamellaFiles.save(`${name}.zip`, LamellaFiles.zip(entries), "application/zip");
    tell(live, `Saved ${name}.zip: image, masks and truth.json.`);
  }

  function bind(live) {
    const { section } = live;
    for (const slider of all("[data-live-set]", section)) {
      slider.addEventListener("input", () => { stopSweep(live); set(live, slider.dataset.liveSet, Number(slider.value)); });
      slider.addEventListener("dblclick", () => set(live, slider.dataset.liveSet, atRest(live)[slider.dataset.liveSet]));
    }
    for (const button of all("[data-live-toggle]", section)) {
      button.addEventListener("click", () => toggle(live, button.dataset.liveToggle, !live.toggles[button.dataset.liveToggle]));
    }
    const actions = { reset, sweep, image: saveImage, truth: saveTruth };
    for (const button of all("[data-live-do]", section)) {
      button.addEventListener("click", () => actions[button.dataset.liveDo](live));
    }
  }

  // What a test or a console may ask of a section.

  function handle(live) {
    return {
      ways: live.ways.map((way) => way.name),
      way: () => live.way.name,
      use: (name) => use(live, name),
      codes: () => { live.way.draw(viewOf(live, live.pose)); return [...live.way.codes()]; },
      space: () => ({ ...live.found, across: [...live.found.across], width: [...live.found.width], upper: 0, lower: 0 }),
      truth: () => truth(live),
      set: (name, value) => set(live, name, value),
    };
  }

  document.addEventListener("lamella:joint", ({ detail: { article, index } }) => {
    if (open) leave(open);
    const section = find("[data-live]", article);
    const stored = document.getElementById(`live-${index}`);
    if (section && stored) mount(section, JSON.parse(stored.textContent));
  });
})();
