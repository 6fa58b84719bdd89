// Job cards come as HTML from the server and are replaced one by one when they change, so that a movie goes on playing.
// They are asked for by themselves, not through the page's session: they go on after the server was started again.
(() => {
  const language = document.documentElement.lang = location.pathname.split("/")[1] || "en";
  const shown = { now: new Map(), queue: new Map() };

  const fill = (place, cards, empty) => {
    const box = document.getElementById(place);
    if (!box) return;
    if (!cards.length) {
      if (box.dataset.empty !== "yes") { box.innerHTML = `<p class="empty">${empty}</p>`; box.dataset.empty = "yes"; }
      shown[place].clear();
      return;
    }
    if (box.dataset.empty === "yes" || !box.children.length) { box.innerHTML = ""; shown[place].clear(); delete box.dataset.empty; }
    const wanted = new Set(cards.map(([id]) => id));
    for (const old of [...box.children]) if (!wanted.has(old.dataset.job)) { old.remove(); shown[place].delete(old.dataset.job); }
    cards.forEach(([id, html], at) => {
      let card = box.querySelector(`:scope > [data-job="${id}"]`);
      if (!card || shown[place].get(id) !== html) {
        const made = document.createElement("template");
        made.innerHTML = html;
        const fresh = made.content.firstElementChild;
        if (card) card.replaceWith(fresh);
        card = fresh;
        shown[place].set(id, html);
      }
      if (box.children[at] !== card) box.insertBefore(card, box.children[at] || null);
    });
  };

  const look = async () => {
    try {
      const answer = await fetch(`/page/cards?language=${language}`);
      if (answer.ok) {
        const told = await answer.json();
        fill("now", told.cards.slice(0, 1), "");
        fill("queue", told.cards, told.empty);
        const disk = document.getElementById("disk");
        if (disk && disk.textContent !== told.disk) disk.textContent = told.disk;
      }
    } catch (error) { /* the server is being started again */ }
    setTimeout(look, document.hidden ? 3000 : 700);
  };
  look();

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-method]");
    if (button && (button.dataset.method !== "DELETE" || confirm(`${button.textContent}?`))) {
      button.disabled = true;
      const answer = await fetch(button.dataset.url, {
        method: button.dataset.method, headers: { "content-type": "application/json" }, body: button.dataset.body || undefined,
      });
      if (!answer.ok) alert((await answer.json()).error);
      button.disabled = false;
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      await navigator.clipboard.writeText(copy.dataset.copy);
      copy.textContent = copy.dataset.copied;
    }
    if (event.target.closest("#dark")) document.body.classList.toggle("dark");
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable]")) return;
    const click = (selector) => { const found = document.querySelector(selector); if (found) { found.click(); event.preventDefault(); } };
    const step = (by) => {
      const slider = document.querySelector("#frame input[type=range]");
      if (!slider) return;
      slider.value = Number(slider.value) + by;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      slider.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
    };
    if (event.key === "p") click("#paint");
    else if (event.key === "r") click("#render");
    else if (event.key === ",") step(-1);
    else if (event.key === ".") step(1);
    else if (event.key === "d") click("#dark");
    else if (/^[1-5]$/.test(event.key)) click(`[role=tab]:nth-of-type(${event.key})`);
  });
})();
