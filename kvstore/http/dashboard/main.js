// SPDX-License-Identifier: Apache-2.0
// The page: tiles, charts, namespaces and findings from the node's figures.
import { set_token, token } from "./api.js";
import { Browser, visible } from "./browse.js";
import { Chart } from "./charts.js";
import { bytes, duration, element, fill_terms, integer, latency, percent, set_text, short } from "./format.js";
import { Live } from "./live.js";
import { is_system, WorkerStatus } from "./worker.js";

const by_id = (id) => document.getElementById(id);
by_id("main").hidden = false;  // without scripts there is nothing to see
const BANDS = ["up to a minute", "an hour", "a day", "a week", "30 days", "longer", "never expires"];
const STALE_SECONDS = 10;
const FACES = { binary: "binary protocol", rest: "REST", binding: "Workers binding", redis: "Redis" };

// Each tile: what it is called, the metrics behind it, its text.
const TILES = [
  ["Reads/s", "edged_kv_requests_total", (_, point) => short(point?.reads)],
  ["Writes/s", "edged_kv_requests_total", (_, point) => short(point?.writes)],
  ["Deletes/s", "edged_kv_requests_total", (_, point) => short(point?.deletes)],
  ["Lists/s", "edged_kv_requests_total", (_, point) => short(point?.lists)],
  ["Keys found", "edged_kv_keys_total", (_, point) => percent(point?.hit_ratio)],
  ["Latency p50", "edged_kv_request_seconds", (_, point) => latency(point?.p50)],
  ["Latency p99", "edged_kv_request_seconds", (_, point) => latency(point?.p99)],
  ["Live keys", "edged_storage_keys", ({ figures }) => integer(figures.edged_storage_keys)],
  ["On disk", "edged_storage_disk_bytes", ({ figures }) => bytes(figures.edged_storage_disk_bytes)],
  ["Memory", "process_resident_memory_bytes", ({ figures }) => bytes(figures.process_resident_memory_bytes)],
  ["Connections", "edged_kv_connections", ({ figures }) => integer(figures.edged_kv_connections)],
  ["Uptime", "process_start_time_seconds",
    ({ figures, now }) => duration(now / 1000 - figures.process_start_time_seconds)],
];

const tiles = TILES.map(([title, metric]) => {
  const value = element("b", {}, "–");
  by_id("figures").append(element("div", { class: "tile", title: metric }, element("span", {}, title), value));
  return value;
});

const per_second = (value) => (value === undefined ? "–" : short(value));
const charts = [
  new Chart(by_id("chart-ops"), { format: per_second, series: [
    { label: "reads", field: "reads", colour: "--line-1" }, { label: "writes", field: "writes", colour: "--line-2" },
    { label: "deletes", field: "deletes", colour: "--line-3" }, { label: "lists", field: "lists", colour: "--line-4" }] }),
  new Chart(by_id("chart-latency"), { format: latency, series: [
    { label: "p50", field: "p50", colour: "--line-1" }, { label: "p99", field: "p99", colour: "--line-2" }] }),
  new Chart(by_id("chart-hits"), { format: percent, y_max: 1.02, series: [
    { label: "share of the keys read", field: "hit_ratio", colour: "--line-4" }] }),
  new Chart(by_id("chart-keys"), { format: short, series: [{ label: "keys", field: "keys", colour: "--line-1" }] }),
];
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => chart.restyle()));

by_id("bands").replaceChildren("Time to live: ",
  ...BANDS.map((name, at) => element("span", { class: `key band-${at + 1}` }, name)));

// What is wrong, and what to do about it.
function findings_of({ figures, classes, mirrors, namespaces }) {
  const found = [];
  if (figures.edged_storage_refuses_writes) {
    found.push("The node refuses writes: its disk is full or the quota is reached. Free space, or raise node.disk_quota; " +
      "writes resume by themselves.");
  }
  const free = figures.edged_storage_disk_free_bytes;
  if (free > 0 && free < 1024 ** 3 && !figures.edged_storage_refuses_writes) {
    found.push(`Only ${bytes(free)} are free on the disk of the data. The node will refuse writes before it is full.`);
  }
  if (figures.edged_storage_clock_step_seconds) {
    found.push(`The wall clock stepped by ${short(figures.edged_storage_clock_step_seconds)} s and is not followed yet. ` +
      "Check the time; kvctl clock confirm accepts it.");
  }
  if (figures.edged_storage_recovered_lost_writes > 0) {
    found.push("The last start found acknowledged writes gone. docs/operations.md, “The promises”, says which can be lost.");
  }
  if (figures.edged_log_lines_lost_total > 0) {
    found.push("Lines of the log were lost: whoever reads the node's stderr is too slow, or its disk is full.");
  }
  if (classes.failed > 0) found.push(`${integer(classes.failed)} requests failed since the start. The node's log says why.`);
  for (const [id, seconds] of Object.entries(mirrors)) {
    if (seconds > STALE_SECONDS) {
      const ns = namespaces.find((one) => one.id === id);
      found.push(`Mirrored keys of ${ns ? visible(ns.title) : id} are ${duration(seconds)} old. ` +
        "Look at the worker: edged mirror status.");
    }
  }
  return found;
}

function show_findings(snapshot) {
  const found = findings_of(snapshot);
  const list = by_id("findings");
  const wanted = found.join("\n");
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(...found.map((text) => element("li", {}, text)));
}

function ttl_bar(ttl) {
  const words = ttl.map((keys, at) => (keys > 0 ? `${BANDS[at]}: ${integer(keys)}` : "")).filter(Boolean).join(", ");
  const bar = element("div", { class: "bar", role: "img", "aria-label": words || "no keys", title: words || "no keys" });
  ttl.forEach((keys, at) => {
    if (keys === 0) return;
    const part = element("span", { class: `band-${at + 1}` });
    part.style.flexGrow = String(keys);
    bar.append(part);
  });
  return bar;
}

const browser = new Browser();
const worker = new WorkerStatus();
const rows = new Map();

function namespace_row(id) {
  let row = rows.get(id);
  if (!row) {
    const open = element("button", { type: "button", class: "link" });
    open.addEventListener("click", () => {
      browser.open(id);
      by_id("browse").focus();
      by_id("browse").scrollIntoView({ block: "start" });
    });
    const cells = [element("td", {}, open), element("td", { class: "number" }), element("td", { class: "number" }),
      element("td"), element("td")];
    row = { open, cells, line: element("tr", {}, ...cells), ttl: undefined };
    rows.set(id, row);
  }
  return row;
}

function show_namespaces({ namespaces, namespaces_total, mirrors }) {
  const lines = namespaces.map(({ id, title, keys, bytes: size, ttl }) => {
    const row = namespace_row(id);
    set_text(row.open, visible(title));
    row.open.title = id;
    set_text(row.cells[1], integer(keys));
    set_text(row.cells[2], bytes(size));
    if (row.ttl !== ttl.join()) {
      row.ttl = ttl.join();
      row.cells[3].replaceChildren(ttl_bar(ttl));
    }
    const stale = mirrors[id];
    set_text(row.cells[4], stale === undefined ? "–" : `${Number(Math.max(0, stale).toFixed(1))} s behind`);
    return row.line;
  });
  const body = by_id("namespaces");
  if (lines.length !== body.children.length || lines.some((line, at) => body.children[at] !== line)) {
    const focused = document.activeElement;  // moving rows takes the focus away
    body.replaceChildren(...lines);
    if (body.contains(focused)) focused.focus({ preventScroll: true });
  }
  for (const id of rows.keys()) if (!namespaces.some((one) => one.id === id)) rows.delete(id);
  set_text(by_id("namespaces-more"), namespaces_total > namespaces.length
    ? `The ${namespaces.length} largest of ${integer(namespaces_total)} namespaces.` : "");
  browser.set_namespaces([...namespaces].sort((a, b) => is_system(a) - is_system(b) || a.title.localeCompare(b.title)));
}

function show_node({ figures: f, faces, engine }) {
  const hits = f.edged_storage_hot_cache_hits;
  fill_terms(by_id("node"), [
    ["Engine", engine],
    ...Object.entries(FACES).map(([face, name]) => [`Requests, ${name}`, face in faces ? integer(faces[face]) : undefined]),
    ["Hot cache answered", percent(hits / (hits + f.edged_storage_hot_cache_misses))],
    ["Hot cache", `${integer(f.edged_storage_hot_cache_entries)} entries, ${bytes(f.edged_storage_hot_cache_bytes)}`],
    ["Storage memory", bytes(f.edged_storage_memory_bytes)],
    ["Free on disk", bytes(f.edged_storage_disk_free_bytes)],
    ["Expired keys reclaimed", integer(f.edged_storage_expired_reclaimed)],
    ["Syncs of the log", integer(f.edged_storage_syncs)],
    ["Leases, watches, uploads", [f.edged_storage_leases, f.edged_storage_watches, f.edged_storage_uploads].map(integer).join(", ")],
    ["Descriptors in use", integer(f.process_open_fds)],
  ]);
}

function show(snapshot, point, points) {
  TILES.forEach(([, , text], at) => set_text(tiles[at], text(snapshot, point)));
  for (const chart of charts) chart.update(points);
  show_findings(snapshot);
  show_namespaces(snapshot);
  show_node(snapshot);
  worker.update(snapshot.namespaces);
}

function why_denied(status) {
  if (status === 403) {
    return "This token may not read the node's figures: it lacks the scope metrics, or is limited to namespaces or a prefix.";
  }
  return token() ? "This token is not valid here: it was mistyped, revoked, or has expired."
    : "This node has tokens. Enter one to see its figures and keys.";
}

// `why`: the status of the refusal, or a text.
function show_state(state, why) {
  const text = state === "denied" ? why_denied(why) : why;
  by_id("state").dataset.state = state;
  set_text(by_id("state"), state === "denied" ? "needs a token" : text);
  const form = by_id("token-form");
  if (state === "denied") {
    set_text(by_id("token-why"), text);
    if (form.hidden) {
      form.hidden = false;
      by_id("token").focus();
    }
  } else if (state === "live") {
    form.hidden = true;
  }
  by_id("forget").hidden = !token();
}

const live = new Live({ on_point: show, on_state: show_state });
by_id("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  set_token(by_id("token").value.trim());
  by_id("token").value = "";
  worker.again();
  live.start();
});
by_id("forget").addEventListener("click", () => {
  set_token("");
  location.reload();
});
set_text(by_id("host"), location.host);
live.start();
