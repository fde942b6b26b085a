// The review page. One example a screen; what comes next is fetched ahead, and what is decided is sent
// behind, in order. Nothing decided is forgotten: what could not be written down is shown again.

import { count, differences, make, plain, roughly, write } from "./text.js";

const byId = (id) => document.getElementById(id);
const AHEAD = 3; // examples fetched before they are asked for
const KEPT = 60; // examples kept at hand
const STATES = { o: "undecided", s: "stale", k: "kept", d: "dropped", e: "edited" };

let start; // what does not change while the page is open
let queue = []; // numbers of the examples that are gone through
let inQueue = new Set();
let sample = new Set(); // those and the ones that were decided before
let n_decided = 0; // decided of the sample
let states = []; // a letter for every example
let at = 0; // place in the queue
let current = null; // what is shown
let latest = null; // the example an undo would concern
let pace = null; // seconds a decision takes
let comparing = false;
let editing = null; // the texts as they were before the change, while one is made
let chain = Promise.resolve(); // what is being written down, in order
let waiting = 0;
const items = new Map();
const besides = new Map();

class Refusal extends Error {
  constructor(status, body) {
    super(typeof body === "string" ? body : "");
    this.status = status;
    this.body = body;
  }
}

/** Asks the program. What it does not answer is a refusal without a status. */
async function ask(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, options || {});
  } catch {
    throw new Refusal(0, "the program does not answer; start `penname review` again");
  }
  const said = answer.headers.get("Content-Type") === "application/json" ? await answer.json() : await answer.text();
  if (!answer.ok) throw new Refusal(answer.status, said);
  return said;
}

/** An example, from what is at hand or from the program. */
function item(n) {
  if (!items.has(n)) {
    const fetched = ask(`item?n=${n}`);
    items.set(n, fetched);
    fetched.catch(() => items.delete(n));
    if (items.size > KEPT) items.delete(items.keys().next().value);
  }
  return items.get(n);
}

/** What was written beside it, likewise. */
function beside(n) {
  if (!besides.has(n)) {
    const fetched = ask(`raw?n=${n}`);
    besides.set(n, fetched);
    fetched.catch(() => besides.delete(n));
    if (besides.size > KEPT) besides.delete(besides.keys().next().value);
  }
  return besides.get(n);
}

function fetchAhead() {
  for (let ahead = 1; ahead <= AHEAD; ahead += 1) {
    const n = queue[at + ahead];
    if (n === undefined) return;
    item(n).catch(() => {});
    if (comparing) beside(n).catch(() => {});
  }
}

// What is said

let noteTimer;
function note(text, how) {
  const element = byId("note");
  element.textContent = text;
  element.className = how === "grave" ? "on grave" : "on";
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => { element.className = ""; }, how === "grave" ? 12000 : 3500);
}

function showProgress() {
  const total = sample.size;
  const open = queue.filter((n) => "os".includes(states[n])).length;
  const bar = byId("bar");
  bar.max = Math.max(total, 1);
  bar.value = n_decided;
  const left = pace && open > 0 ? `, ${roughly(open * pace)} left` : "";
  byId("far").textContent = `${count(n_decided)} of ${count(total)} decided${left}`;
}

// One example

/** Shows the example at a place of the queue; a place behind its end says that all were seen. */
async function show(place) {
  at = Math.max(0, Math.min(place, queue.length));
  stopEditing();
  if (at === queue.length) return showEnd();
  const n = queue[at];
  byId("example").setAttribute("aria-busy", "true");
  let shown;
  try {
    shown = await item(n);
  } catch (refusal) {
    return note(refusal.message, "grave");
  }
  if (queue[at] !== n || editing) return; // somebody was faster
  draw(shown, `${count(at + 1)} of ${count(queue.length)}`);
  remember();
  fetchAhead();
}

/** Shows an example that need not be in the queue. */
async function showNumber(n) {
  const place = queue.indexOf(n);
  if (place >= 0) return show(place);
  stopEditing();
  try {
    draw(await item(n), "not in this selection");
  } catch (refusal) {
    note(refusal.message, "grave");
  }
}

function draw(shown, place) {
  const isOther = current?.n !== shown.n;
  current = shown;
  byId("place").textContent = place;
  drawState();
  drawTurns();
  drawAbout();
  const learned = shown.learned;
  byId("learn").textContent = `${count(learned.words)} words, ${count(learned.chars)} characters are learned.`;
  tick(shown.decision?.flags ?? []);
  for (const id of ["keep", "drop", "edit", "compare"]) byId(id).disabled = false;
  if (isOther) document.querySelector("main").scrollTop = 0;
  byId("example").setAttribute("aria-busy", "false");
  byId("example").dataset.n = shown.n;
  showProgress();
}

function drawState() {
  const is = STATES[states[current.n]];
  byId("state").dataset.is = is;
  const split = current.held_out ? " · held out for measuring" : "";
  const why = is === "stale" ? `stale: ${current.decision?.verdict ?? "decided"} in other words, decide again` : is;
  byId("state").textContent = why + split;
}

function drawTurns() {
  const turns = current.messages.map((message, turn) => drawTurn(message, turn, null));
  byId("turns").replaceChildren(...turns);
  if (comparing) compareNow();
}

function heading(message) {
  const name = message.role === "assistant" ? "voice" : message.role;
  return make("h2", null, name, make("b", null, message.trained ? " · learned" : " · context, not learned"));
}

function drawTurn(message, turn, pieces) {
  const said = make("div", { class: "said", dir: "auto" });
  if (pieces) differences(said, pieces);
  else write(said, message.text);
  if (message.persona) {
    return make("details", { class: "turn" }, make("summary", null, "persona, before every example"), said);
  }
  const more = message.left > 0 && make("button", { type: "button", class: "more" }, `All of it: ${count(message.left)} characters more`);
  if (more) more.addEventListener("click", showWhole);
  return make("section", { class: message.trained ? "turn trained" : "turn", "data-turn": turn }, heading(message), said, more);
}

/** All of a long text, where only its beginning is shown. */
async function showWhole() {
  if (!current.messages.some((message) => message.left > 0)) return current;
  const n = current.n;
  const whole = await ask(`item?n=${n}&whole=1`);
  items.set(n, Promise.resolve(whole));
  if (current.n === n) draw(whole, byId("place").textContent);
  return whole;
}

// As it was written

async function compareNow() {
  const shown = current;
  let pieces;
  try {
    pieces = await beside(shown.n);
  } catch (refusal) {
    return note(refusal.message, "grave");
  }
  if (!comparing || current !== shown || editing) return;
  const turns = shown.messages.map((message, turn) => {
    const found = pieces[turn];
    const drawn = drawTurn(message, turn, message.left > 0 ? null : found);
    if (!found && !message.persona) {
      drawn.querySelector("h2").append(make("b", null, " · not found in what was written"));
    } else if (found && found.every(([change]) => change === "same")) {
      drawn.querySelector("h2, summary").append(make("b", null, " · as it was written"));
    }
    return drawn;
  });
  byId("turns").replaceChildren(...turns);
}

function toggleCompare() {
  if (editing) return;
  comparing = !comparing;
  byId("compare").setAttribute("aria-pressed", String(comparing));
  drawTurns();
}

// About it

function row(name, ...values) {
  const told = values.filter((value) => value !== null && value !== undefined && value !== false && value !== "");
  return told.length > 0 && make("div", null, make("dt", null, name), ...told.map((value) => make("dd", null, value.nodeType ? value : plain(value))));
}

function list(values, kind) {
  return values.length > 0 && make("ul", { class: kind ?? false }, ...values.map((value) => make("li", { title: start.signs[value] ?? false }, plain(value))));
}

function link(url) {
  const anchor = url && make("a", { href: url, target: "_blank", rel: "noopener noreferrer", id: "source" }, plain(url));
  return anchor && make("span", null, anchor, make("kbd", null, "o"));
}

function received(reception) {
  if (!reception) return null;
  const names = { score: "votes", reposts: "reposts", replies: "replies", views: "views", followers: "followers", delay_s: "seconds after what it answers" };
  return Object.entries(names).filter(([key]) => reception[key] !== undefined).map(([key, name]) => `${count(reception[key])} ${name}`).join(", ");
}

function told(decision) {
  const flags = decision.flags.length > 0 ? `, ${decision.flags.join(", ")}` : "";
  const by = decision.by ? ` by ${decision.by}` : "";
  return `${decision.verdict}${by} on ${decision.at.slice(0, 16).replace("T", " ")}${flags}`;
}

function drawAbout() {
  const it = current;
  const written = [it.provenance?.author?.name, it.provenance?.created_at ?? it.date].filter(Boolean).join(", ");
  const kept = it.document.chars !== it.document.given ? `${count(it.document.chars)} of ${count(it.document.given)} characters left by cleaning` : null;
  const encoding = it.encoding && `read as ${it.encoding.name}, ${Math.round(it.encoding.confidence * 100)} % sure`;
  const rows = [
    row("Look at", list([...it.signs, ...it.marks], "look")),
    row("From", it.path, it.title, `document ${it.position + 1}, example ${it.place + 1}, ${it.kind}`, link(it.url)),
    row("Written", written),
    row("Received", received(it.reception)),
    row("Measures", ...it.scores.map((score) => `${score.name}: ${score.value}${score.bar ? ` (asked: ${score.bar})` : ""}`), kept, encoding),
    row("Rights", `${it.rights.basis}; learn: ${it.rights.train}; publish: ${it.rights.publish}`),
    row("Issues of its file", it.issues && list(it.issues.map((issue) => issue.detail))),
    row("Decided", it.decision && told(it.decision), ...it.others.map(told)),
  ];
  byId("about").replaceChildren(make("dl", null, ...rows));
}

// Flags

function ticked() {
  return [...byId("flags").querySelectorAll("input:checked")].map((box) => box.value);
}

function tick(names) {
  for (const box of byId("flags").querySelectorAll("input")) box.checked = names.includes(box.value);
}

// Deciding

/** Takes note of a decision at once, goes on, and has it written down behind. */
function decide(verdict, texts) {
  if (!current || at === queue.length && inQueue.has(current.n)) return;
  const decided = current;
  const flags = ticked();
  const before = states[decided.n];
  mark(decided.n, verdict === "edit" ? "e" : verdict[0]);
  send(async () => {
    const said = { n: decided.n, id: decided.id, revision: decided.revision, verdict, flags, texts: texts ?? [] };
    try {
      take(await ask("decide", said), decided);
      items.delete(decided.n);
      besides.delete(decided.n);
    } catch (refusal) {
      mark(decided.n, before);
      await refused(refusal, decided, flags, texts);
    }
  });
  if (queue[at] === decided.n) show(at + 1);
  else show(at);
}

function mark(n, letter) {
  const was = "os".includes(states[n]);
  const is = "os".includes(letter);
  states[n] = letter;
  if (sample.has(n)) n_decided += Number(was) - Number(is);
  showProgress();
}

function take(said, decided) {
  decided.revision = said.revision;
  latest = said.latest ?? null;
  pace = said.pace_s ?? pace;
  showProgress();
}

/** One thing after the other, so that the record has the order in which things were decided. */
function send(work) {
  waiting += 1;
  chain = chain.then(work).finally(() => { waiting -= 1; });
  return chain;
}

/** A decision that was not written down is shown again, with what was ticked and typed. */
async function refused(refusal, decided, flags, texts) {
  if (refusal.status === 409) {
    const now = refusal.body;
    items.set(now.n, Promise.resolve(now));
    mark(now.n, now.state[0]);
    await showNumber(now.n);
    note(`Not written down: meanwhile this one was ${STATES[now.state[0]]} elsewhere. Decide again if you mean it.`, "grave");
  } else {
    await showNumber(decided.n);
    note(`Not written down: ${refusal.message}`, "grave");
  }
  tick(flags);
  if (texts && texts.length === current?.messages.length) startEditing(texts);
}

function undo() {
  if (editing) return;
  send(async () => {
    try {
      const said = await ask("undo", { id: latest });
      latest = said.latest ?? null;
      if (said.n === undefined) return note("There is nothing to undo.");
      pace = said.pace_s ?? pace;
      items.delete(said.n);
      besides.delete(said.n);
      mark(said.n, said.state[0]);
      await showNumber(said.n);
      note("Undone.");
    } catch (refusal) {
      if (refusal.status !== 409) return note(`Not undone: ${refusal.message}`, "grave");
      latest = refusal.body.latest;
      if (refusal.body.n !== null) {
        items.delete(refusal.body.n);
        await showNumber(refusal.body.n);
      }
      note("The latest decision was taken elsewhere; this is it. Press u again to undo it.", "grave");
    }
  });
}

// Changing words

async function startEditing(texts) {
  if (!current || editing) return;
  let whole;
  try {
    whole = await showWhole();
  } catch (refusal) {
    return note(refusal.message, "grave");
  }
  const before = whole.messages.map((message) => message.text);
  editing = { n: whole.n, before, texts: texts ?? before };
  const turns = whole.messages.map((message, turn) => {
    if (message.persona) return drawTurn(message, turn, null);
    const rows = Math.min(30, Math.max(3, Math.ceil(message.text.length / 75)));
    const name = `${message.role === "assistant" ? "voice, learned" : message.role}, turn ${turn + 1}`;
    const area = make("textarea", { "data-turn": turn, rows, "aria-label": name, dir: "auto", spellcheck: "true" });
    area.value = editing.texts[turn];
    return make("section", { class: message.trained ? "turn trained" : "turn" }, heading(message), area);
  });
  byId("turns").replaceChildren(...turns);
  byId("actions").hidden = true;
  byId("editing").hidden = false;
  const first = whole.messages.findIndex((message) => message.trained);
  const area = byId("turns").querySelector(`textarea[data-turn="${first}"]`) ?? byId("turns").querySelector("textarea");
  area?.focus({ preventScroll: true });
  area?.setSelectionRange(0, 0);
}

function typed() {
  const texts = [...editing.before];
  for (const area of byId("turns").querySelectorAll("textarea")) texts[Number(area.dataset.turn)] = area.value;
  return texts;
}

function isChanged() {
  const same = (text) => text.replaceAll("\r\n", "\n");
  return typed().some((text, turn) => same(text) !== same(editing.before[turn]));
}

function save() {
  if (!editing) return;
  if (!isChanged()) {
    note("Nothing was changed.");
    return leaveEditing();
  }
  const texts = typed();
  stopEditing();
  decide("edit", texts);
}

let leaving = false;
function leaveEditing() {
  if (!editing) return;
  if (isChanged() && !leaving) {
    leaving = true;
    return note("Press Esc again to give the change up, Ctrl+Enter to save it.");
  }
  stopEditing();
  drawTurns();
  byId("example").focus({ preventScroll: true });
}

function stopEditing() {
  editing = null;
  leaving = false;
  byId("editing").hidden = true;
  byId("actions").hidden = false;
}

// The end, the queue, the address

function showEnd() {
  const open = queue.filter((n) => "os".includes(states[n])).length;
  const asked = new URLSearchParams(new FormData(byId("filters")));
  const words = queue.length === 0
    ? "No example is like that."
    : open > 0 ? `These were all. ${count(open)} of them are still undecided.` : "These were all, and all are decided.";
  const turn = make("section", { class: "turn" }, make("div", { class: "said" }, words));
  if (open > 0) {
    const first = make("button", { type: "button", class: "more" }, "To the first undecided");
    first.addEventListener("click", () => toOpen(-1));
    turn.append(first);
  } else if (asked.get("show") !== "open" || sample.size < start.examples) {
    const rest = make("button", { type: "button", class: "more" }, "All undecided");
    rest.addEventListener("click", () => { byId("filters").reset(); load(); });
    turn.append(rest);
  }
  current = null;
  byId("place").textContent = queue.length === 0 ? "none" : "the end";
  byId("state").textContent = "";
  byId("learn").textContent = "";
  byId("turns").replaceChildren(turn);
  byId("about").replaceChildren();
  tick([]);
  for (const id of ["keep", "drop", "edit", "compare"]) byId(id).disabled = true;
  byId("example").setAttribute("aria-busy", "false");
  byId("example").dataset.n = "";
  showProgress();
}

/** To the next undecided one behind a place, from the beginning again if there is none. */
function toOpen(from) {
  const isOpen = (n) => "os".includes(states[n]);
  const behind = queue.findIndex((n, place) => place > from && isOpen(n));
  const place = behind >= 0 ? behind : queue.findIndex(isOpen);
  if (place < 0) return note("All of these are decided.");
  return show(place);
}

function asked() {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(byId("filters"))) if (value !== "") fields.set(name, value);
  return fields;
}

let n_loads = 0; // of two questions the later one counts, whichever is answered last

/** Asks which examples are wanted, and begins with the first of them or the one that was open. */
async function load(n) {
  n_loads += 1;
  const mine = n_loads;
  const fields = asked();
  let said;
  try {
    await chain;
    said = await ask(`queue?${fields}`);
  } catch (refusal) {
    return note(refusal.message, "grave");
  }
  if (mine !== n_loads) return undefined;
  queue = said.items;
  inQueue = new Set(queue);
  sample = new Set(said.sample);
  states = [...said.states];
  n_decided = said.sample.filter((one) => !"os".includes(states[one])).length;
  latest = said.latest ?? null;
  pace = said.pace_s ?? null;
  const isFiltered = [...fields].some(([name, value]) => !(name === "show" && value === "open") && value !== "all" && value !== "corpus" && name !== "sample");
  byId("filter").setAttribute("aria-pressed", String(isFiltered));
  const place = queue.indexOf(n);
  return show(place >= 0 ? place : 0);
}

function remember() {
  const fields = asked();
  if (current) fields.set("n", current.n);
  history.replaceState(null, "", `#${fields}`);
}

function fillFilters() {
  const choose = (id, counts, any) => {
    const options = Object.entries(counts).map(([name, n]) => make("option", { value: name }, `${name} (${count(n)})`));
    byId(id).replaceChildren(make("option", { value: "" }, any), ...options);
  };
  const flags = Object.fromEntries(start.flags.map((flag) => [flag.name, null]));
  choose("f-mark", start.facets.marks, "any or none");
  for (const name of Object.keys(flags)) byId("f-mark").append(make("option", { value: name }, `ticked: ${name}`));
  choose("f-source", start.facets.sources, "any");
  choose("f-kind", start.facets.kinds, "any");
  choose("f-split", start.facets.splits, "any");
  const given = new URLSearchParams(location.hash.slice(1) || start.first);
  for (const [name, value] of given) {
    const field = byId("filters").elements.namedItem(name);
    if (field) field.value = value;
  }
  sizeMatters();
  return given.has("n") ? Number(given.get("n")) : undefined;
}

function sizeMatters() {
  byId("f-sample").disabled = !["stratified", "spread"].includes(byId("f-plan").value);
}

function toggleFilters(isOpen) {
  byId("filters").hidden = !isOpen;
  byId("filter").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) byId("f-text").focus();
  else byId("example").focus({ preventScroll: true });
}

async function showKeys() {
  byId("keys").showModal();
  const percent = (n) => `${Math.round(n * 100)} %`;
  const people = await ask("people").catch(() => []);
  const lines = people.map((pair) => {
    const kappa = pair.kappa === null ? "kappa is undefined" : `kappa ${pair.kappa.toFixed(2)} (${pair.interval.map((n) => n.toFixed(2)).join(" to ")})`;
    return make("p", null, plain(`${pair.one} and ${pair.other}: alike on ${percent(pair.alike / pair.both)} of ${count(pair.both)}, ${kappa}`));
  });
  byId("people").replaceChildren(...lines);
}

// Keys and clicks

const KEYS = {
  k: () => decide("keep"), y: () => decide("keep"), d: () => decide("drop"), e: () => startEditing(), u: undo,
  s: () => show(at + 1), n: () => show(at + 1), ArrowRight: () => show(at + 1),
  b: () => show(at - 1), ArrowLeft: () => show(at - 1), j: () => toOpen(at),
  r: toggleCompare, w: () => showWhole().catch((refusal) => note(refusal.message, "grave")),
  o: () => document.getElementById("source")?.click(),
  "/": () => toggleFilters(true), "?": showKeys,
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key === "Enter" && editing) { event.preventDefault(); save(); }
    return;
  }
  if (byId("keys").open) return;
  if (event.key === "Escape") {
    if (editing) leaveEditing();
    else if (!byId("filters").hidden) toggleFilters(false);
    return;
  }
  if (event.key === "Enter" && event.target.matches("#filters input")) {
    event.preventDefault();
    return toggleFilters(false); // which leaves the field, and so asks for what was typed
  }
  if (editing || event.target.matches("textarea, select, input:not([type=checkbox])")) return;
  const box = byId("flags").querySelector(`input[data-key="${CSS.escape(event.key)}"]`);
  if (box) {
    event.preventDefault();
    return box.click();
  }
  const work = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (work && !(event.repeat && "kydu".includes(event.key))) {
    event.preventDefault();
    work();
  }
}

function listen() {
  document.addEventListener("keydown", pressed);
  const clicks = {
    keep: () => decide("keep"), drop: () => decide("drop"), edit: () => startEditing(), undo, next: () => show(at + 1),
    back: () => show(at - 1), save, cancel: () => { leaving = true; leaveEditing(); }, compare: toggleCompare,
    filter: () => toggleFilters(byId("filters").hidden), help: showKeys,
  };
  for (const [id, work] of Object.entries(clicks)) byId(id).addEventListener("click", work);
  byId("filters").addEventListener("submit", (event) => { event.preventDefault(); toggleFilters(false); });
  byId("filters").addEventListener("change", () => { sizeMatters(); load(); });
  byId("filters").addEventListener("reset", () => setTimeout(() => { sizeMatters(); load(); }));
  addEventListener("beforeunload", (event) => { if (waiting > 0 || (editing && isChanged())) event.preventDefault(); });
}

async function begin() {
  start = await ask("start");
  byId("voice").textContent = start.voice;
  byId("who").textContent = start.reviewer ? `read by ${start.reviewer}` : "";
  document.title = `Review · ${start.voice}`;
  const boxes = start.flags.map((flag, place) => {
    const box = make("input", { type: "checkbox", value: flag.name, "data-key": place + 1 });
    return make("label", { title: flag.asks }, box, plain(flag.name), make("kbd", null, String(place + 1)));
  });
  byId("flags").append(...boxes);
  listen();
  await load(fillFilters());
}

begin().catch((refusal) => note(refusal.message, "grave"));
