(() => {
  "use strict";

  const STEP = 2;
  const FAR_STEP = 10;
  const SHARP = 2;
  const RULER_PART = 0.28;
  const FRAME_WORDS = {
    lower: "Laid on the lower bone: whatever moves between the visits is the upper bone.",
    upper: "Laid on the upper bone: whatever moves between the visits is the lower bone.",
    taken: "As taken: nothing is registered.",
  };
  const FRAME_KEYS = { l: "lower", u: "upper", t: "taken" };

  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const settings = { wipe: 50, rate: 2, frame: "lower" };
  let article = null;
  let joint = null;
  let chosen = 0;
  let timer = 0;
  let alone = "";

  const find = (selector) => article.querySelector(selector);
  const all = (selector) => [...article.querySelectorAll(selector)];

  // Pictures.

  async function load(index) {
    const stored = document.getElementById(`pixels-${index}`);
    if (!stored) return null;
    const data = JSON.parse(stored.textContent);
    const followups = await Promise.all(
      data.followups.map((each) => (each ? LamellaPage.picture(each.image) : null)));
    return { data, baseline: await LamellaPage.picture(data.baseline), followups };
  }

  function blank(canvas, cols, rows) {
    canvas.width = cols;
    canvas.height = rows;
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    return context;
  }

  function paint() {
    const [rows, cols] = joint.data.size;
    const followup = joint.data.followups[chosen];
    const first = blank(find('[data-picture="baseline"]'), SHARP * cols, SHARP * rows);
    first.drawImage(joint.baseline, 0, 0, SHARP * cols, SHARP * rows);
    const second = blank(find('[data-picture="followup"]'), SHARP * cols, SHARP * rows);
    if (followup) {
      const frame = followup.frames[settings.frame] || followup.frames.taken;
      second.setTransform(...frame.map((part) => SHARP * part));
      second.drawImage(joint.followups[chosen], 0, 0);
    }
    words(followup);
    ruler(followup);
  }

  function words(followup) {
    const number = chosen + 2;
    find("[data-followup-number]").textContent = number;
    find('[data-picture="followup"]').setAttribute("aria-label", `Radiograph of visit ${number}. ${FRAME_WORDS[settings.frame]}`);
    const caution = followup && !followup.ruler ? "No answer was given: this shows what was tried. " : "";
    find("[data-hero-words]").textContent = followup
      ? `${caution}${FRAME_WORDS[settings.frame]} Brightness of visit ${number} is matched to visit 1 for viewing.`
      : `Visit ${number} could not be compared.`;
  }

  function ruler(followup) {
    const box = find("[data-ruler]");
    const { per_pixel_mm: spacing, source_cols: cols } = joint.data;
    box.hidden = !(followup && followup.ruler && spacing);
    if (box.hidden) return;
    const wanted = RULER_PART * cols * spacing;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const nice = [5, 2, 1].find((step) => step * power <= wanted) * power;
    box.querySelector(".bar").style.width = `${((nice / (cols * spacing)) * find(".hero").clientWidth).toFixed(1)}px`;
    box.querySelector(".length").textContent = `${Number(nice.toPrecision(2))}\u00a0mm`;
  }

  function paintUnder() {
    for (const box of all("[data-box]")) {
      const [x, y, cols, rows] = box.dataset.box.split(" ").map(Number);
      const zoom = joint.data.size[1] / joint.data.source_cols;
      const sharp = Math.max(1, 560 / cols);
      const context = blank(box.querySelector("[data-under]"), Math.round(sharp * cols), Math.round(sharp * rows));
      context.setTransform(sharp / zoom, 0, 0, sharp / zoom, -sharp * x, -sharp * y);
      context.drawImage(joint.baseline, 0, 0);
    }
  }

  // Wipe and flicker. A flicker shows one visit whole; the wipe shows both.

  function setWipe(percent) {
    settings.wipe = clamp(percent, 0, 100);
    stopFlicker();
    showWipe();
  }

  function showWipe() {
    const at = alone ? { baseline: 100, followup: 0 }[alone] : settings.wipe;
    article.style.setProperty("--wipe", `${at.toFixed(2)}%`);
    article.classList.toggle("alone", Boolean(alone));
    const slider = find("[data-wipe]");
    slider.value = settings.wipe;
    slider.setAttribute("aria-valuetext", `visit 1 on ${Math.round(settings.wipe)} per cent of the picture`);
  }

  function swap() {
    alone = alone === "followup" ? "baseline" : "followup";
    showWipe();
  }

  function stopFlicker() {
    clearInterval(timer);
    timer = 0;
    alone = "";
    find("[data-flicker]").setAttribute("aria-pressed", "false");
  }

  function flicker() {
    if (calm()) { swap(); return; }
    if (timer) { stopFlicker(); showWipe(); return; }
    find("[data-flicker]").setAttribute("aria-pressed", "true");
    timer = setInterval(swap, 1000 / settings.rate);
    swap();
  }

  function step() {
    if (timer) stopFlicker();
    swap();
  }

  function setRate(rate) {
    settings.rate = clamp(rate, 1, 5);
    find("[data-rate]").value = settings.rate;
    find("[data-rate-words]").textContent = `${settings.rate} / s`;
    if (timer) { clearInterval(timer); timer = setInterval(swap, 1000 / settings.rate); }
  }

  function hold(frame) {
    settings.frame = frame;
    for (const button of all("[data-frame]")) {
      button.setAttribute("aria-pressed", String(button.dataset.frame === frame));
    }
    paint();
  }

  function choose(index) {
    chosen = index;
    for (const button of all("[data-interval]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.interval) === index));
    }
    for (const panel of all("[data-panel]")) panel.hidden = Number(panel.dataset.panel) !== index;
    if (joint) paint();
  }

  function dragWipe(event) {
    const move = (now) => setWipe(LamellaPage.percentAcross(find(".hero"), now));
    LamellaPage.follow(event, move);
    move(event);
  }

  // Joints, buttons and keys.

  function bind() {
    find("[data-wipe]").addEventListener("input", (event) => setWipe(Number(event.target.value)));
    find("[data-rate]").addEventListener("input", (event) => setRate(Number(event.target.value)));
    find(".hero").addEventListener("pointerdown", dragWipe);
    find("[data-flicker]").title = calm() ? "Your system asks for less motion: each press shows the other visit" : "";
    new ResizeObserver(() => { if (joint) ruler(joint.data.followups[chosen]); }).observe(find(".hero"));
  }

  async function open({ detail }) {
    clearInterval(timer);
    timer = 0;
    alone = "";
    joint = null;
    article = detail.article;
    const here = article;
    LamellaReview.bind(article);
    choose(Math.max(0, new Set(all("[data-panel]").map((panel) => panel.dataset.panel)).size - 1));
    const ready = await load(detail.index);
    if (article !== here) return;
    joint = ready;
    if (joint) {
      bind();
      setRate(settings.rate);
      hold(settings.frame);
      paintUnder();
      showWipe();
    }
    article.dataset.ready = "yes";
  }

  function onClick(event) {
    const button = event.target.closest("button");
    if (!button || !article) return;
    const { frame, interval, open: index } = button.dataset;
    if (index !== undefined) {
      document.querySelector(`.joints [data-joint="${index}"]`).click();
      scrollTo({ top: 0, behavior: calm() ? "auto" : "smooth" });
    } else if (interval !== undefined) choose(Number(interval));
    else if (joint && frame) hold(frame);
    else if (joint && "flicker" in button.dataset) flicker();
    else if (joint && "swap" in button.dataset) step();
  }

  function press(selector) {
    const button = find(selector);
    if (button) button.click();
  }

  function onKey(event) {
    const isCommand = event.ctrlKey || event.metaKey || event.altKey;
    if (!article || isCommand || event.target.closest("textarea, select")) return;
    if (event.key === "a") press('[data-verdict="accept"]');
    else if (event.key === "x") press('[data-verdict="reject"]');
    else if (event.key === "c") { event.preventDefault(); find("[data-comment]").focus(); }
    else if (joint) onPictureKey(event);
  }

  function onPictureKey(event) {
    const arrow = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (arrow && !event.target.closest("input")) {
      event.preventDefault();
      setWipe(settings.wipe + arrow * (event.shiftKey ? FAR_STEP : STEP));
    } else if (event.key === " " && !event.target.closest("button, input, summary, a")) {
      event.preventDefault();
      step();
    } else if (event.key === "f") flicker();
    else if (FRAME_KEYS[event.key]) hold(FRAME_KEYS[event.key]);
  }

  document.addEventListener("lamella:joint", open);
  document.addEventListener("click", onClick);
  addEventListener("keydown", onKey);
})();
