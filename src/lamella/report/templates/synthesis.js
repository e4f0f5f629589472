(() => {
  "use strict";

  const all = (selector) => [...document.querySelectorAll(selector)];
  const host = document.getElementById("joint");
  const templates = all('template[id^="joint-"]');
  let shown = 0;

  function show(index) {
    shown = index;
    host.replaceChildren(templates[index].content.cloneNode(true));
    for (const button of all("[data-joint]")) {
      if (Number(button.dataset.joint) !== shown) button.removeAttribute("aria-current");
      else { button.setAttribute("aria-current", "true"); button.scrollIntoView({ block: "nearest" }); }
    }
    const place = document.querySelector("[data-place]");
    if (place) place.textContent = `${shown + 1} of ${templates.length}`;
    const article = host.querySelector("article");
    document.dispatchEvent(new CustomEvent("lamella:joint", { detail: { article, index } }));
  }

  const listed = () => all(".joints li:not([hidden]) [data-joint]").map((button) => Number(button.dataset.joint));

  function step(by) {
    const ahead = by > 0 ? listed().find((index) => index > shown) : listed().reverse().find((index) => index < shown);
    if (ahead !== undefined) show(ahead);
  }

  function filterBy(status) {
    for (const item of all(".joints li")) item.hidden = status !== "all" && item.dataset.status !== status;
    for (const button of all("[data-filter]")) button.setAttribute("aria-pressed", String(button.dataset.filter === status));
    const open = listed();
    if (open.length && !open.includes(shown)) show(open[0]);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { joint, filter, do: action } = button.dataset;
    if (joint !== undefined) show(Number(joint));
    else if (filter) filterBy(filter);
    else if (action) step(action === "next" ? 1 : -1);
  });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "n" || event.key === "p") step(event.key === "n" ? 1 : -1);
  });
  if (templates.length) show(0);
})();
