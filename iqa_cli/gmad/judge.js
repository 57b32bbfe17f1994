"use strict";
// The server is the only memory: what is due, what has been said. This page holds the key of its observer for
// as long as its tab lives, so that two observers can sit at two tabs.
(() => {
  const $ = (id) => document.getElementById(id);
  const KEY = "iqa-gmad-observer";
  const SIDES = ["left", "right"];
  // The token was in the address; the cookie has it now, and the history need not.
  if (location.search) history.replaceState(null, "", "/");

  let state = null; // as the server told it last
  let ready = false; // both pictures are there, and no vote is under way
  let shownAt = 0;
  let generation = 0; // of the pair on the screen: what arrives late for another one is dropped
  let retry = null; // what "Try again" does
  const ahead = []; // pictures of the next pair, kept from being collected

  // ---- the server

  async function ask(path, body) {
    const options = { cache: "no-store" };
    if (body) {
      options.method = "POST";
      options.headers = { "Content-Type": "application/json" };
      options.body = JSON.stringify(body);
    }
    const answer = await fetch(path, options);
    return { ok: answer.ok, status: answer.status, found: await answer.json() };
  }

  function remember(observer) {
    try {
      if (observer) sessionStorage.setItem(KEY, observer);
      else sessionStorage.removeItem(KEY);
    } catch { /* storage is switched off: a reload asks for the name again */ }
  }

  function remembered() {
    try { return sessionStorage.getItem(KEY); } catch { return null; }
  }

  function show(id) {
    for (const name of ["begin", "judge", "end"]) $(name).hidden = name !== id;
  }

  // ---- beginning

  async function join(again) {
    $("begin-error").textContent = "";
    try {
      const { ok, found } = await ask("/join", { name: $("name").value, again });
      if (ok) {
        $("known").hidden = true;
        $("start").hidden = false;
        remember(found.observer);
        enter(found);
      } else if (found.taken) {
        $("known-text").textContent = `Somebody of this name has judged ${found.taken} pairs. Is that you?`;
        $("known").hidden = false;
        $("start").hidden = true;
        $("again").focus();
      } else {
        $("begin-error").textContent = `That did not work: ${found.error}.`;
      }
    } catch {
      $("begin-error").textContent = "The program that serves this page does not answer. Is it still running?";
    }
  }

  function begin() {
    remember(null);
    state = null;
    ready = false;
    generation += 1;
    $("known").hidden = true;
    $("start").hidden = false;
    $("name").value = "";
    show("begin");
    $("name").focus();
  }

  // ---- a pair

  const address = (position, side) => `/picture/${state.observer}/${position}/${side}`;

  function enter(found) {
    state = found;
    problem("");
    if (state.position === null) {
      ready = false;
      generation += 1;
      $("end-text").textContent = `${state.name}, all ${state.total} pairs are judged and saved.`;
      show("end");
      $("end-title").focus();
      say(`All ${state.total} pairs are judged.`);
      return;
    }
    show("judge");
    $("count").textContent = `${state.done + 1} of ${state.total}`;
    $("progress").max = state.total;
    $("progress").value = state.done;
    load();
  }

  // Not the attribute disabled: a button that has it loses the focus, and with it who goes by keys.
  const off = (id, is) => $(id).setAttribute("aria-disabled", String(is));
  const isOff = (id) => $(id).getAttribute("aria-disabled") === "true";

  function enable(on) {
    ready = on;
    for (const choice of ["left", "none", "right"]) off(`vote-${choice}`, !on);
    off("undo", !state || state.done === 0);
  }

  async function load() {
    const mine = ++generation;
    enable(false);
    $("skip").hidden = true;
    for (const side of SIDES) {
      $(side).classList.add("waiting");
      $(side).src = address(state.position, side);
    }
    try {
      await Promise.all(SIDES.map((side) => $(side).decode()));
    } catch {
      if (mine !== generation) return;
      $("skip").hidden = false;
      problem("A picture of this pair cannot be shown. Try again, or skip the pair.", load);
      return;
    }
    if (mine !== generation) return;
    reset();
    for (const side of SIDES) $(side).classList.remove("waiting");
    shownAt = performance.now();
    enable(true);
    say(`Pair ${state.done + 1} of ${state.total}`);
    ahead.length = 0;
    if (state.position + 1 < state.total) {
      for (const side of SIDES) {
        const picture = new Image();
        picture.src = address(state.position + 1, side);
        ahead.push(picture);
      }
    }
  }

  async function send(path, body, again) {
    enable(false);
    off("undo", true);
    const mine = generation;
    try {
      const { ok, status, found } = await ask(path, { observer: state.observer, ...body });
      if (mine !== generation) return;
      if (ok) enter(found);
      else if (status === 409 && found.state) enter(found.state); // this window was behind
      else if (status === 404) begin();
      else problem(`Not saved: ${found.error}.`, again);
    } catch {
      if (mine !== generation) return;
      problem("Not saved: the program that serves this page does not answer. Is it still running?", again);
    }
  }

  function vote(choice) {
    if (!state || $("judge").hidden || (!ready && choice !== "skip")) return;
    const milliseconds = choice === "skip" ? null : Math.round(performance.now() - shownAt);
    const position = state.position;
    const go = () => send("/vote", { position, choice, milliseconds }, go);
    go();
  }

  function undo() {
    if (!state || state.done === 0 || (isOff("undo") && !$("judge").hidden)) return;
    const position = (state.position === null ? state.total : state.position) - 1;
    const go = () => send("/undo", { position }, go);
    go();
  }

  function problem(text, again) {
    $("problem").textContent = text;
    retry = again || null;
    $("retry").hidden = !again;
  }

  function say(text) { $("status").textContent = text; }

  // ---- one view for both pictures: a scale, and the point of the pictures that is in the middle

  const MOST = 8;
  const NEAR = 12; // CSS pixels from a small picture to the edge towards the other one
  let scale = 1; // CSS pixels for one pixel of a picture, at the larger one
  let centre = [0.5, 0.5];
  const pixel = () => 1 / (window.devicePixelRatio || 1);
  const pane = () => $("pane-left").getBoundingClientRect();

  // Pictures of two sizes are shown at the same width of what they show only by chance; each has its own pixels.
  function fitting() {
    const { width, height } = pane();
    return Math.min(...SIDES.map((side) =>
      Math.min(width / $(side).naturalWidth, height / $(side).naturalHeight)));
  }

  const least = () => Math.min(fitting(), pixel());

  function reset() {
    centre = [0.5, 0.5];
    scale = Math.min(fitting(), pixel()); // true size where both fit
    draw();
  }

  function draw() {
    if (!$(SIDES[0]).naturalWidth) return;
    const { width, height } = pane();
    scale = Math.min(Math.max(scale, least()), MOST * pixel());
    for (const axis of [0, 1]) centre[axis] = Math.min(Math.max(centre[axis], 0), 1);
    for (const side of SIDES) {
      const picture = $(side);
      const size = [picture.naturalWidth * scale, picture.naturalHeight * scale];
      const shift = [width, height].map((room, axis) => {
        const free = room - size[axis];
        // Side by side: small pictures on a wide screen are compared badly from far apart.
        const edge = axis === 0 ? Math.min(free / 2, NEAR) : free / 2;
        if (free >= 0) return axis === 0 && side === "left" ? free - edge : edge;
        return Math.min(0, Math.max(room - size[axis], room / 2 - centre[axis] * size[axis]));
      });
      // On whole device pixels, so that true size is sharp.
      const place = shift.map((value) => Math.round(value / pixel()) * pixel());
      picture.style.transform = `translate(${place[0]}px, ${place[1]}px) scale(${scale})`;
      picture.classList.toggle("pixels", scale >= 2 * pixel());
    }
    const true_ = Math.abs(scale / pixel() - 1) < 0.001;
    $("zoom").textContent = `${Math.round(100 * scale / pixel())} %`;
    $("fit").textContent = true_ ? "Whole pictures" : "True size";
    off("fit", true_ && Math.abs(fitting() / pixel() - 1) < 0.001);
    $("fit").setAttribute("aria-pressed", String(true_));
  }

  function toggle() {
    scale = Math.abs(scale / pixel() - 1) < 0.001 ? fitting() : pixel();
    draw();
  }

  // Zoom about a point of a pane, which stays where it is.
  function zoom(factor, x, y) {
    const { width, height } = pane();
    const before = scale;
    scale = Math.min(Math.max(scale * factor, least()), MOST * pixel());
    const size = [$("left").naturalWidth, $("left").naturalHeight];
    [x - width / 2, y - height / 2].forEach((offset, axis) => {
      centre[axis] += (offset / before - offset / scale) / size[axis];
    });
    draw();
  }

  function pan(dx, dy) {
    const { width, height } = pane();
    // From where the edge of the larger picture has held it, else the first steps back would do nothing.
    const size = [0, 1].map((axis) => Math.max(...SIDES.map((side) =>
      (axis ? $(side).naturalHeight : $(side).naturalWidth) * scale)));
    [[dx, width], [dy, height]].forEach(([step, room], axis) => {
      if (size[axis] <= room) return;
      const edge = room / 2 / size[axis];
      centre[axis] = Math.min(Math.max(centre[axis] - step / size[axis], edge), 1 - edge);
    });
    draw();
  }

  const fingers = new Map();
  let spread = 0;
  for (const side of SIDES) {
    const area = $(`pane-${side}`);
    const inside = (event) => {
      const box = area.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    area.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), ...inside(event));
    }, { passive: false });
    area.addEventListener("dblclick", toggle);
    area.addEventListener("pointerdown", (event) => {
      area.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      area.classList.add("held");
      spread = 0;
    });
    area.addEventListener("pointermove", (event) => {
      const last = fingers.get(event.pointerId);
      if (!last) return;
      pan((event.clientX - last[0]) / fingers.size, (event.clientY - last[1]) / fingers.size);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      if (fingers.size === 2) {
        const [a, b] = [...fingers.values()];
        const now = Math.hypot(a[0] - b[0], a[1] - b[1]);
        if (spread && now) zoom(now / spread, ...inside(event));
        spread = now;
      }
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      area.addEventListener(kind, (event) => {
        fingers.delete(event.pointerId);
        area.classList.remove("held");
        spread = 0;
      });
    }
  }
  window.addEventListener("resize", draw);

  // ---- buttons and keys

  $("join").addEventListener("submit", (event) => { event.preventDefault(); join(false); });
  $("again").addEventListener("click", () => join(true));
  $("other").addEventListener("click", begin);
  for (const choice of ["left", "none", "right"]) $(`vote-${choice}`).addEventListener("click", () => vote(choice));
  $("skip").addEventListener("click", () => vote("skip"));
  $("undo").addEventListener("click", undo);
  $("end-undo").addEventListener("click", undo);
  $("leave").addEventListener("click", begin);
  $("end-leave").addEventListener("click", begin);
  $("fit").addEventListener("click", toggle);
  $("retry").addEventListener("click", () => { const go = retry; problem(""); if (go) go(); });

  const VOTES = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "none", n: "none", N: "none" };
  const STEPS = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
    const back = event.key === "Backspace" || event.key === "u" || event.key === "U";
    if (!$("end").hidden && back) { event.preventDefault(); undo(); return; }
    if ($("judge").hidden) return;
    const steps = event.shiftKey && STEPS[event.key];
    const { width, height } = pane();
    if (steps) pan(...steps);
    else if (event.key === "+" || event.key === "=") zoom(1.25, width / 2, height / 2);
    else if (event.key === "-") zoom(0.8, width / 2, height / 2);
    else if (event.repeat) return; // a key that is held down is one vote
    else if (back) undo();
    else if (VOTES[event.key]) vote(VOTES[event.key]);
    else if (event.key === "z" || event.key === "Z") toggle();
    else return;
    event.preventDefault();
  });

  // ---- where this tab was

  (async () => {
    const observer = remembered();
    if (!observer) { begin(); return; }
    try {
      const { ok, found } = await ask(`/state?observer=${encodeURIComponent(observer)}`);
      if (ok) enter(found);
      else begin();
    } catch {
      show("begin");
      $("begin-error").textContent = "The program that serves this page does not answer. Start it, then reload.";
    }
  })();
})();
