const LamellaReview = (() => {
  "use strict";

  // What the reader decides: kept in this browser where it allows that, exported as CSV.

  const run = JSON.parse(document.getElementById("review-run").textContent);
  const place = `lamella-narrowing:${run.key}`;
  const VERDICTS = ["accept", "reject"];
  const all = (selector) => [...document.querySelectorAll(selector)];
  let isKept = true;
  const read = load();

  function load() {
    const found = new Map();
    try {
      const stored = JSON.parse(localStorage.getItem(place) || "{}");
      for (const [joint, said] of Object.entries(stored)) found.set(joint, cleaned(said));
    } catch { isKept = canKeep(); }
    return found;
  }

  function canKeep() {
    try { localStorage.removeItem(place); return true; } catch { return false; }
  }

  function cleaned(said) {
    const { verdict, comment } = said && typeof said === "object" ? said : {};
    return {
      verdict: VERDICTS.includes(verdict) ? verdict : "",
      comment: typeof comment === "string" ? comment.slice(0, 2000) : "",
    };
  }

  function keep() {
    try {
      localStorage.setItem(place, JSON.stringify(Object.fromEntries(read)));
      isKept = true;
    } catch { isKept = false; }
  }

  const of = (joint) => read.get(joint) || { verdict: "", comment: "" };

  function set(joint, change) {
    read.set(joint, cleaned({ ...of(joint), ...change }));
    keep();
    list();
  }

  function list() {
    for (const line of all("[data-line]")) {
      const { verdict, comment } = of(line.dataset.line);
      const words = verdict ? `${verdict}ed` : "";
      line.querySelector("[data-read]").textContent = [words, comment].filter(Boolean).join(": ");
      line.dataset.given = verdict;
    }
  }

  function bind(article) {
    const box = article.querySelector("[data-review]");
    if (!box) return;
    const joint = box.dataset.review;
    const field = box.querySelector("[data-comment]");
    const show = () => {
      for (const button of box.querySelectorAll("[data-verdict]")) {
        button.setAttribute("aria-pressed", String(of(joint).verdict === button.dataset.verdict));
      }
      box.querySelector("[data-kept]").textContent = isKept
        ? "Kept in this browser only; export it below."
        : "This browser keeps nothing: export before you close the page.";
    };
    field.value = of(joint).comment;
    field.addEventListener("keydown", (event) => event.stopPropagation());
    field.addEventListener("input", () => { set(joint, { comment: field.value }); show(); });
    box.addEventListener("click", (event) => {
      const button = event.target.closest("[data-verdict]");
      if (!button) return;
      const same = of(joint).verdict === button.dataset.verdict;
      set(joint, { verdict: same ? "" : button.dataset.verdict });
      show();
    });
    show();
  }

  // A cell that a spreadsheet would take for a formula starts with an apostrophe.
  function cell(text) {
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return `"${safe.replaceAll('"', '""')}"`;
  }

  function table() {
    const lines = new Map();
    for (const line of all("[data-line]")) {
      const { line: joint, said } = line.dataset;
      lines.set(joint, [...(lines.get(joint) || []), said]);
    }
    const rows = [...lines].map(([joint, said]) => {
      const { verdict, comment } = of(joint);
      return [joint, verdict, comment, said.join("; ")];
    });
    return [["joint", "reading", "comment", "answer"], ...rows]
      .map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  }

  function save() {
    const address = URL.createObjectURL(new Blob(["\ufeff", table()], { type: "text/csv;charset=utf-8" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = "narrowing_readings.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  for (const button of all("[data-export]")) button.addEventListener("click", save);
  list();
  return { bind };
})();
