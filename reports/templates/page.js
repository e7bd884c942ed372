"use strict";
(() => {
  const CONFIG = {
    displaylogo: false,
    responsive: true,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  // Read when it is drawn: a figure far below must not keep the first one waiting.
  const texts = new Map(all("script[data-figure]").map((el) => [el.dataset.figure, el]));
  const read = new Map();
  function specOf(id) {
    if (!read.has(id)) read.set(id, JSON.parse(texts.get(id).textContent));
    return read.get(id);
  }

  // Figures name colours and fonts as CSS variables; Plotly wants their values.
  function resolved(value, style) {
    if (typeof value === "string") {
      return value.replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
    }
    if (Array.isArray(value)) return value.map((item) => resolved(item, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, resolved(v, style)]));
    }
    return value;
  }

  function draw(id) {
    const area = document.getElementById(id);
    if (!area || area.offsetParent === null) return; // hidden: drawn when it is shown
    const spec = resolved(specOf(id), getComputedStyle(document.documentElement));
    const fixed = spec.layout.dragmode === false; // nothing to zoom
    Plotly.react(area, spec.data, spec.layout, fixed ? { ...CONFIG, modeBarButtons: [["toImage"]] } : CONFIG);
    area.dataset.drawn = "yes";
  }
  const drawAll = () => [...texts.keys()].forEach(draw);

  function press(button) {
    all("button", button.parentElement).forEach((b) => b.setAttribute("aria-pressed", b === button));
  }

  // Panels: one class at a time.
  all("button[data-panel]").forEach((button) =>
    button.addEventListener("click", () => {
      press(button);
      all(".panel", button.closest("[data-panels]")).forEach((panel) => {
        panel.classList.toggle("hidden", panel.id !== button.dataset.panel);
        if (panel.id === button.dataset.panel) all(".plot-area", panel).forEach((a) => draw(a.id));
      });
    }),
  );

  // Curves against epochs or wall time.
  all("button[data-axis]").forEach((button) =>
    button.addEventListener("click", () => {
      press(button);
      all(".plot-area", button.closest("[data-axes]")).forEach((area) => {
        const spec = specOf(area.id);
        const axis = spec.layout.meta && spec.layout.meta.axes[button.dataset.axis];
        if (!axis) return;
        spec.data.forEach((trace, i) => { trace.x = axis.x[i]; });
        spec.layout.xaxis.title.text = axis.title;
        draw(area.id);
      });
    }),
  );

  // Legends: show or hide a configuration in every figure of its panel.
  all(".legend button").forEach((button) =>
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", shown);
      all(".plot-area", button.closest(".panel")).forEach((area) => {
        specOf(area.id).data.forEach((trace) => {
          if (trace.legendgroup === button.dataset.series) trace.visible = shown;
        });
        draw(area.id);
      });
    }),
  );

  // Tables sort by a column; empty cells stay at the end.
  const keyOf = (cell) => {
    const text = cell.dataset.value ?? cell.textContent.trim();
    return text === "" || text === "–" ? null : isNaN(text) ? text.toLowerCase() : Number(text);
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  all("table.sortable .sort").forEach((button) =>
    button.addEventListener("click", () => {
      const head = button.parentElement;
      const column = [...head.parentElement.children].indexOf(head);
      const down = head.getAttribute("aria-sort") === "ascending";
      all("th", head.parentElement).forEach((th) => th.hasAttribute("aria-sort") && th.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = head.closest("table").tBodies[0];
      const rows = [...body.rows].map((row) => [keyOf(row.cells[column]), row]);
      rows.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : compare(a, b) * (down ? -1 : 1)));
      body.append(...rows.map(([, row]) => row));
    }),
  );

  // Long tables show their first rows, as they are sorted, until all are asked for.
  function unfold(table) {
    table.classList.remove("folded");
    const note = table.closest(".scroll").nextElementSibling;
    if (note?.classList.contains("unfold")) note.hidden = true;
  }
  all("button[data-unfold]").forEach((button) =>
    button.addEventListener("click", () =>
      unfold(button.closest(".unfold").previousElementSibling.querySelector("table")),
    ),
  );

  // The ledger's filters.
  const find = document.getElementById("ledger-find");
  const ledger = document.getElementById("ledger-table");
  let outcome = "";
  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (ledger && (outcome || words.length)) unfold(ledger); // who looks for a row sees it
    let shown = 0;
    all("tbody tr", ledger ?? undefined).forEach((row) => {
      if (!ledger) return;
      const text = row.textContent.toLowerCase();
      row.hidden = (outcome && row.dataset.outcome !== outcome) || words.some((w) => !text.includes(w));
      shown += !row.hidden;
    });
    const waiting = document.getElementById("ledger-waiting");
    if (waiting) waiting.hidden = outcome !== "" && outcome !== "not run";
    const none = document.getElementById("ledger-none");
    if (none) none.hidden = shown > 0;
  }
  if (find) find.addEventListener("input", filter);
  all("button[data-outcome]").forEach((button) =>
    button.addEventListener("click", () => { press(button); outcome = button.dataset.outcome; filter(); }),
  );

  // MLflow shows a report in a sandbox that no link leaves: a run's address is shown, to be copied.
  if (self.origin === "null" && self !== top) {
    const box = document.body.appendChild(document.createElement("output"));
    box.className = "address";
    all("a.run").forEach((link) =>
      link.addEventListener("click", (event) => {
        event.preventDefault();
        box.textContent = link.href;
        getSelection().selectAllChildren(box);
      }),
    );
  }

  // Only a box that scrolls is a stop of the keyboard.
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => {
    const scrolls = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
    if (scrolls) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }));
  all(".scroll, .plot-scroll, pre").forEach((box) => sizes.observe(box));

  // The section being read, marked in the list of sections.
  const links = new Map(all("nav a").map((a) => [a.hash.slice(1), a]));
  const watcher = new IntersectionObserver(
    (entries) => entries.forEach((entry) => {
      if (!entry.isIntersecting) return;
      links.forEach((a) => a.classList.remove("here"));
      links.get(entry.target.id)?.classList.add("here");
    }),
    { rootMargin: "-15% 0px -75% 0px" },
  );
  all("main section[id]").forEach((section) => watcher.observe(section));

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  // On paper everything is light, open and as wide as a page: figures are drawn for that width.
  const PAGE_WIDTH = 680, PAGE_HEIGHT = 880; // of a figure, its title and its caption beside it
  const scaled = (area) => Math.min(
    1,
    PAGE_WIDTH / (parseInt(area.style.minWidth, 10) || PAGE_WIDTH),
    PAGE_HEIGHT / parseInt(area.style.height, 10),
  );
  function redraw(printing) {
    document.documentElement.classList.toggle("printing", printing);
    all(".plot-area").forEach((area) => { area.style.zoom = printing ? scaled(area) : ""; });
    all(".plot-area[data-drawn]").forEach((area) => Plotly.purge(area)); // forgets the old width
    drawAll();
  }
  addEventListener("beforeprint", () => redraw(true));
  addEventListener("afterprint", () => redraw(false));

  // What is in view is drawn at once; the rest, figure by figure, when nobody waits for the page.
  const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work));
  function drawInTurn([id, ...rest]) {
    if (id === undefined) {
      document.documentElement.dataset.drawn = "all";
      return;
    }
    if (!document.getElementById(id)?.dataset.drawn) draw(id);
    whenIdle(() => drawInTurn(rest), { timeout: 500 });
  }
  const isInView = (id) => {
    const box = document.getElementById(id)?.getBoundingClientRect();
    return box && box.top < innerHeight && box.bottom > 0;
  };
  const seen = [...texts.keys()].filter(isInView);
  seen.forEach(draw);
  const later = [...texts.keys()].filter((id) => !seen.includes(id));
  whenIdle(() => drawInTurn(later), { timeout: 500 });
})();
