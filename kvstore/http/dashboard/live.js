// SPDX-License-Identifier: Apache-2.0
// The node's figures, once a second. The server sends counters; rates, shares and percentiles are made
// here of what changed between two snapshots.
import { ApiError, request } from "./api.js";

export const HISTORY_SECONDS = 600;
// Percentiles and the hit ratio are of this many seconds: of one second they would jump about.
const WINDOW_SECONDS = 10;
const RETRY_MS = [1000, 2000, 5000, 10_000];

const GROUPS = {
  reads: ["get", "get_many", "multi_get", "get_and_touch", "check", "check_present", "check_absent", "check_version"],
  writes: ["put", "put_if_absent", "put_if_present", "put_if_version", "put_many", "multi_put", "lease_put", "touch",
           "add", "batch"],
  deletes: ["delete", "delete_if_version", "delete_many", "multi_delete", "invalidate"],
  lists: ["list"],
};

// Reads server-sent events from a stream of bytes; fetch() can send a token, EventSource cannot.
async function read_events(body, on_data) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    for (let end = held.indexOf("\n\n"); end >= 0; end = held.indexOf("\n\n")) {
      const event = held.slice(0, end);
      held = held.slice(end + 2);
      if (event.startsWith("data: ")) on_data(JSON.parse(event.slice(6)));
    }
  }
}

const sum = (counts, names) => names.reduce((total, name) => total + (counts[name] ?? 0), 0);

const total_latency = ({ counts }) => {
  const rows = Object.values(counts);
  return rows.length === 0 ? [] : rows[0].map((_, at) => rows.reduce((total, row) => total + row[at], 0));
};

// The time below which `share` of the requests were answered, from counts between bounds. Within a
// bucket times are taken to be spread evenly. Undefined without requests.
export function percentile(bounds, counts, share) {
  const wanted = counts.reduce((total, count) => total + count, 0) * share;
  if (wanted === 0) return undefined;
  let before = 0;
  for (let at = 0; at < counts.length; ++at) {
    if (counts[at] > 0 && before + counts[at] >= wanted) {
      if (at === bounds.length) return bounds[at - 1];
      const low = at === 0 ? 0 : bounds[at - 1];
      return low + (bounds[at] - low) * ((wanted - before) / counts[at]);
    }
    before += counts[at];
  }
  return bounds[bounds.length - 1];
}

// What the page shows of one moment, from a snapshot and the ones before it.
function derive(now, last, past) {
  const seconds = Math.max(0.001, (now.now - last.now) / 1000);
  const point = { at: now.now };
  for (const [group, names] of Object.entries(GROUPS)) {
    point[group] = (sum(now.requests, names) - sum(last.requests, names)) / seconds;
  }
  const hits = now.keys.hit - past.keys.hit;
  const reads = hits + now.keys.miss - past.keys.miss;
  point.hit_ratio = reads > 0 ? hits / reads : undefined;
  const [newer, older] = [total_latency(now.latency), total_latency(past.latency)];
  const counts = newer.map((count, at) => count - (older[at] ?? 0));
  for (const [name, share] of [["p50", 0.5], ["p99", 0.99]]) {
    point[name] = percentile(now.latency.bounds, counts, share);
  }
  point.keys = now.figures.edged_storage_keys;
  point.disk = now.figures.edged_storage_disk_bytes;
  return point;
}

// Counters that went back: the node was started again.
const restarted = (now, last) =>
  now.figures.process_start_time_seconds !== last.figures.process_start_time_seconds;

export class Live {
  // on_point(snapshot, point, points): each second. on_state("live" | "paused" | "lost", text), or
  // on_state("denied", 401 | 403).
  constructor({ on_point, on_state }) {
    Object.assign(this, { on_point, on_state, points: [], snapshots: [], failures: 0 });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.pause() : this.start()));
  }

  // Also after a token was entered. Hidden pages do not read: browsers have few connections per host.
  start() {
    this.stop();
    if (document.hidden) return this.pause();
    this.abort = new AbortController();
    if (this.failures === 0) this.on_state("lost", "connecting …");
    this.run(this.abort.signal);
  }

  stop() {
    this.abort?.abort();
    clearTimeout(this.retry);
  }

  pause() {
    this.stop();
    this.on_state("paused", "paused while the page is hidden");
  }

  async run(signal) {
    try {
      const response = await request("/dashboard/events", { signal });
      await read_events(response.body, (snapshot) => this.take(snapshot));
      throw new ApiError(0, "the node ended the stream");
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401 || error.status === 403) return this.on_state("denied", error.status);
      this.on_state("lost", error instanceof ApiError ? error.message : "the connection broke");
      const wait = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)];
      this.retry = setTimeout(() => this.start(), wait);
    }
  }

  take(snapshot) {
    this.failures = 0;
    const last = this.snapshots.at(-1);
    if (last && restarted(snapshot, last)) this.snapshots = [];
    const oldest = this.snapshots[0];
    const point = oldest && derive(snapshot, this.snapshots.at(-1), oldest);
    this.snapshots.push(snapshot);
    while (this.snapshots.length > WINDOW_SECONDS) this.snapshots.shift();
    if (point) {
      // A gap in the line where nothing was read.
      const before = this.points.at(-1);
      if (before && point.at - before.at > 5000) this.points.push({ at: before.at + 1000 });
      this.points.push(point);
      while (this.points.length > HISTORY_SECONDS) this.points.shift();
    }
    this.on_state("live", "live");
    this.on_point(snapshot, point, this.points);
  }
}
