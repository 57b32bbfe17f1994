"use strict";
(() => {
  const find = id => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const rows = data.rows;
  const GAP = 12;
  const BINS = 20;
  let view = [];
  let open = -1;
  let asMap = false;

  const element = (tag, style, content) => {
    const made = document.createElement(tag);
    if (style) made.className = style;
    if (content !== undefined) made.textContent = content;
    return made;
  };
  const has = value => value !== undefined && value !== null;
  const scored = row => has(row.score);
  const megapixels = row => has(row.width) && has(row.height) ? row.width * row.height / 1e6 : undefined;
  const unsure = row => has(row.low) && has(row.high) ? row.high - row.low : has(row.spread) ? row.spread : -1;
  const distorted = row => has(row.distortion) && row.distortion !== "pristine";
  const seen = row => distorted(row) ? row.distortion + (has(row.level) ? " " + row.level : "") : "";
  const share = value => (value > 99 && value < 100 ? value.toFixed(1) : value.toFixed(0)) + " %";
  const many = (number, noun) => number.toLocaleString("en") + " " + noun + (number === 1 ? "" : "s");
  const bin = row => Math.min(BINS - 1, Math.max(0, Math.floor(row.score * BINS / 100)));

  // What is asked for.

  const orders = {
    worst: (a, b) => a.score - b.score,
    best: (a, b) => b.score - a.score,
    unsure: (a, b) => unsure(b) - unsure(a),
    large: (a, b) => (megapixels(b) ?? -1) - (megapixels(a) ?? -1),
    small: (a, b) => (megapixels(a) ?? Infinity) - (megapixels(b) ?? Infinity),
    name: (a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
    given: () => 0,
  };
  const RANGES = [["score", row => row.score], ["here", row => row.here], ["size", megapixels]];

  function wanted() {
    const tests = [];
    for (const [name, of] of RANGES) {
      const low = find(name + "-low").valueAsNumber, high = find(name + "-high").valueAsNumber;
      if (!Number.isNaN(low)) tests.push(row => has(of(row)) && of(row) >= low);
      if (!Number.isNaN(high)) tests.push(row => has(of(row)) && of(row) <= high);
    }
    const kind = find("distortion").value, warning = find("warning").value;
    if (kind === "-") tests.push(row => !has(row.distortion));
    else if (kind) tests.push(row => row.distortion === kind);
    if (warning === "none") tests.push(row => scored(row) && !row.cautions);
    else if (warning === "any") tests.push(row => !scored(row) || has(row.cautions));
    else if (warning === "failed") tests.push(row => !scored(row));
    else if (warning) tests.push(row => has(row.cautions) && row.cautions.includes(warning));
    return tests;
  }

  function apply() {
    const tests = wanted(), part = find("name").value.toLowerCase();
    find("active").textContent = tests.length ? "(" + tests.length + " set)" : "";
    if (part) tests.push(row => row.name.toLowerCase().includes(part));
    view = rows.filter(row => tests.every(test => test(row)));
    const order = find("order").value, compare = orders[order];
    const byScore = order === "worst" || order === "best";
    view.sort((a, b) => (byScore && scored(b) - scored(a)) || compare(a, b));
    find("count").textContent = view.length === rows.length ? many(rows.length, "picture")
      : view.length.toLocaleString("en") + " of " + many(rows.length, "picture");
    drawn = "";
    histogram();
    draw();
  }

  // The histogram.

  const SVG = "http://www.w3.org/2000/svg";
  const shape = (tag, values, content) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(values)) made.setAttribute(name, value);
    if (content !== undefined) made.textContent = content;
    return made;
  };

  function histogram() {
    const count = of => of.reduce((bins, row) => { if (scored(row)) bins[bin(row)] += 1; return bins; }, Array(BINS).fill(0));
    const all = count(rows), some = count(view), most = Math.max(1, ...all);
    const left = 4, width = 432 / BINS, base = 104, tall = 96;
    const bars = (bins, style) => bins.map((n, i) => shape("rect", {
      class: style, x: left + i * width + 1, width: width - 2, y: base - tall * n / most, height: tall * n / most,
    }));
    const hits = all.map((n, i) => {
      const made = shape("rect", { class: "hit", x: left + i * width, width, y: base - tall, height: tall });
      const low = i * 100 / BINS, high = low + 100 / BINS;
      made.append(shape("title", {}, low + " to " + high + " points: " + many(n, "picture")));
      made.addEventListener("click", () => choose(low, i === BINS - 1 ? high : high - .001));
      return made;
    });
    const ticks = [0, 20, 40, 60, 80, 100].map(v => shape("text", { class: "tick", x: left + v * 4.32, y: 117, style: "text-anchor:" + (v ? v < 100 ? "middle" : "end" : "start") }, v));
    find("histogram").replaceChildren(
      shape("path", { class: "frame", d: "M" + left + " " + base + "h432" }), ...bars(all, "all"), ...bars(some, "some"), ...ticks, ...hits);
  }

  function choose(low, high) {
    const from = find("score-low"), to = find("score-high");
    const again = from.valueAsNumber === low && to.valueAsNumber === high;
    from.value = again ? "" : low;
    to.value = again ? "" : high;
    find("more").open = true;
    apply();
  }

  // The cards in sight.

  const cards = find("cards"), shown = find("shown");
  let columns = 1, tall = 300, drawn = "";

  function measure() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const width = cards.clientWidth, least = (width < 40 * rem ? 9 : 13) * rem;
    columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    tall = Math.round((width < 40 * rem ? 15 : 17.5) * rem);
    shown.style.gridTemplateColumns = "repeat(" + columns + ", minmax(0, 1fr))";
    shown.style.gridAutoRows = tall + "px";
  }

  function draw() {
    const lines = Math.ceil(view.length / columns), step = tall + GAP;
    cards.style.height = Math.max(0, lines * step - GAP) + "px";
    const above = -cards.getBoundingClientRect().top;
    const first = Math.max(0, Math.min(lines - 1, Math.floor(above / step) - 1));
    const last = Math.min(lines, Math.max(first, Math.ceil((above + innerHeight) / step)) + 1);
    const key = first + " " + last + " " + columns;
    if (key === drawn) return;
    drawn = key;
    const focused = document.activeElement?.closest?.("#shown li")?.dataset.place;
    shown.style.transform = "translateY(" + first * step + "px)";
    const kept = new Map([...shown.children].map(item => [item.row, item]));
    const items = [];
    for (let place = first * columns; place < Math.min(view.length, last * columns); place += 1) {
      const item = kept.get(view[place]) ?? card(view[place]);
      item.dataset.place = place;
      item.setAttribute("aria-posinset", place + 1);
      item.setAttribute("aria-setsize", view.length);
      items.push(item);
    }
    shown.replaceChildren(...items);
    if (focused !== undefined) shown.querySelector('[data-place="' + focused + '"] button')?.focus({ preventScroll: true });
  }

  function card(row) {
    const item = element("li"), made = element("button", "card");
    item.row = row;
    made.type = "button";
    if (row.src) {
      const image = element("img");
      image.alt = "";
      image.decoding = "async";
      if (row.w) { image.width = row.w; image.height = row.h; }
      image.src = row.src;
      made.append(image);
    } else made.append(element("span", "gone", row.error ? "no picture" : "no preview"));
    const top = element("span", "top");
    if (scored(row)) {
      top.append(element("span", "points", row.score.toFixed(1)), element("span", "", row.word));
      const meter = element("span", "meter"), level = element("i");
      level.style.width = Math.max(0, Math.min(100, row.score)) + "%";
      meter.append(level);
      made.append(top, meter);
      made.append(element("span", "line", has(row.here) ? "above " + share(row.here) + " here" : ""));
    } else {
      top.append(element("span", "points warn", "no score"));
      made.append(top, element("span", "line", row.error));
    }
    made.append(row.cautions ? element("span", "line warn", "\u26a0 " + row.cautions.join(", ")) : element("span", "line", seen(row)));
    const name = element("span", "line", row.name.slice(row.name.lastIndexOf("/") + 1));
    name.title = row.name;
    made.append(name);
    made.addEventListener("click", () => enlarge(Number(item.dataset.place)));
    item.append(made);
    return item;
  }

  function focus(place) {
    if (place < 0 || place >= view.length) return;
    const step = tall + GAP, line = Math.floor(place / columns), top = cards.getBoundingClientRect().top + line * step;
    if (top < 0) scrollBy(0, top - GAP);
    else if (top + tall > innerHeight) scrollBy(0, top + tall - innerHeight + GAP);
    draw();
    shown.querySelector('[data-place="' + place + '"] button')?.focus({ preventScroll: true });
  }

  // The large view.

  const large = find("large"), picture = find("picture");

  function enlarge(place) {
    if (place < 0 || place >= view.length) return;
    open = place;
    const row = view[place];
    find("place").textContent = (place + 1).toLocaleString("en") + " of " + view.length.toLocaleString("en");
    find("before").disabled = place === 0;
    find("after").disabled = place === view.length - 1;
    find("toggle").hidden = !row.map;
    find("toggle").setAttribute("aria-pressed", String(Boolean(asMap && row.map)));
    find("large-name").textContent = row.name;
    const ways = asMap && row.map ? [row.map] : [row.file, row.src].filter(Boolean);
    show(ways, row);
    find("facts").replaceChildren(...facts(row).flatMap(([name, value, style]) => [element("dt", "", name), element("dd", style, value)]));
    if (!large.open) large.showModal();
  }

  function show(ways, row) {
    const [first, ...rest] = ways;
    find("gone").textContent = first ? "" : row.error ?? "The picture is not where it was.";
    picture.hidden = !first;
    picture.alt = (asMap && row.map ? "map of " : "picture ") + row.name;
    picture.className = first && first === row.file ? "own" : "";
    picture.onerror = () => show(rest, row);
    if (first) picture.src = first;
    else picture.removeAttribute("src");
  }

  function facts(row) {
    const found = [];
    if (scored(row)) {
      found.push(["Score", row.score.toFixed(2) + (row.word ? ", " + row.word : "")]);
      if (has(row.low) && has(row.high))
        found.push([(data.coverage ? Math.round(100 * data.coverage) + " % of opinions" : "Interval"), row.low.toFixed(0) + " to " + row.high.toFixed(0)]);
      if (has(row.spread)) found.push(["Spread of the crops", "\u00b1" + row.spread.toFixed(1)]);
      found.push(["Rank here", row.rank.toLocaleString("en") + " of " + many(rows.filter(scored).length, "scored picture")]);
      if (has(row.here)) found.push(["Above, here", share(row.here) + " of the others"]);
      if (has(row.training)) found.push(["Above, in training", row.training.toFixed(0) + " % of the opinions"]);
    } else found.push(["No score", row.error, "warn"]);
    for (const [name, value] of Object.entries(row.others ?? {})) found.push([name, has(value) ? value.toFixed(2) : "no score"]);
    if (has(row.distortion)) found.push(["Distortion", seen(row) || "none seen"]);
    if (has(row.width)) found.push(["Size", row.width + " x " + row.height + " (" + megapixels(row).toFixed(1) + " megapixels)"]);
    for (const name of row.cautions ?? []) found.push(["\u26a0 " + name, data.cautions[name], "warn"]);
    return found;
  }

  function leave() {
    large.close();
  }

  // What the reader does.

  find("filters").addEventListener("input", apply);
  find("filters").addEventListener("submit", event => event.preventDefault());
  find("filters").addEventListener("reset", () => setTimeout(apply));
  find("before").addEventListener("click", () => enlarge(open - 1));
  find("after").addEventListener("click", () => enlarge(open + 1));
  find("close").addEventListener("click", leave);
  find("toggle").addEventListener("click", () => { asMap = !asMap; enlarge(open); });
  large.addEventListener("close", () => { focus(open); picture.removeAttribute("src"); });
  large.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowLeft: open - 1, ArrowRight: open + 1, Home: 0, End: view.length - 1 }[event.key];
    if (to !== undefined) { event.preventDefault(); enlarge(to); }
    else if (event.key === "m" && view[open].map) { asMap = !asMap; enlarge(open); }
  });
  shown.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const place = Number(event.target.closest("li").dataset.place);
    const to = {
      ArrowLeft: place - 1, ArrowRight: place + 1, ArrowUp: place - columns, ArrowDown: place + columns,
      Home: 0, End: view.length - 1,
    }[event.key];
    if (to !== undefined) { event.preventDefault(); focus(to); }
  });
  let touched = null;
  const stage = large.querySelector(".stage");
  stage.addEventListener("touchstart", event => { touched = event.touches.length === 1 ? event.touches[0].clientX : null; }, { passive: true });
  stage.addEventListener("touchend", event => {
    if (touched === null || visualViewport?.scale > 1.05) return;
    const moved = event.changedTouches[0].clientX - touched;
    if (Math.abs(moved) > 60) enlarge(open + (moved < 0 ? 1 : -1));
  });
  addEventListener("scroll", draw, { passive: true });
  addEventListener("resize", () => { measure(); drawn = ""; draw(); });

  // The kinds there are.

  const tally = new Map();
  for (const row of rows.filter(scored)) tally.set(row.distortion ?? "-", (tally.get(row.distortion ?? "-") ?? 0) + 1);
  const named = { "-": "not sure", pristine: "none seen" };
  for (const [kind, n] of [...tally].sort((a, b) => b[1] - a[1])) {
    const option = element("option", "", (named[kind] ?? kind) + " (" + n + ")");
    option.value = kind;
    find("distortion").append(option);
  }
  if (rows.some(row => !scored(row))) {
    const option = element("option", "", "no score");
    option.value = "failed";
    find("warning").append(option);
  }
  for (const name of Object.keys(data.cautions)) {
    const n = rows.filter(row => row.cautions?.includes(name)).length;
    if (!n) continue;
    const option = element("option", "", name + " (" + n + ")");
    option.value = name;
    find("warning").append(option);
  }
  find("more").open = innerWidth >= 800;
  measure();
  apply();
})();
