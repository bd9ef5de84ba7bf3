// SPDX-License-Identifier: Apache-2.0
// What a worker published of itself in the node's system namespace: the worker, and the last run of each job.
// The documents are read as any other entry, so a token needs list and read there.
import { list_keys, read_value } from "./api.js";
import { element, fill_terms, integer, set_text, time } from "./format.js";

const SYSTEM_NAMESPACE = "00000000000000000000006564676564";
const INTERVAL_MS = 15_000;
const DOCUMENTS_MAX = 20;
const by_id = (id) => document.getElementById(id);

export const is_system = ({ id }) => id === SYSTEM_NAMESPACE;

const when = (text) => (text ? time(Date.parse(text)) : undefined);
const yes_no = (value) => (value === undefined ? undefined : value ? "yes" : "no");

function worker_rows(status) {
  const upstream = status.upstream ?? {};
  return [
    ["Ready", status.ready ? "yes" : `no: ${status.why ?? "no reason given"}`],
    ["Version", status.version],
    ["Started", when(status.started_at)],
    ["Roles", Array.isArray(status.roles) ? status.roles.join(", ") : undefined],
    ["PostgreSQL answers", yes_no(status.postgres)],
    ["Mirror", status.mirror],
    ["Upstream requests", upstream.requests === undefined ? undefined : integer(upstream.requests)],
    ["Upstream circuit", upstream.circuit],
    ["Circuit open because", upstream.circuit_reason],
  ];
}

function job_rows(job) {
  const run = job.last_run ?? {};
  const summary = run.summary ?? {};
  const counts = ["sections", "fetched", "failed", "changed", "openings", "notifications", "sql_statements", "kv_hits", "kv_misses"];
  return [
    ["Schedule", Array.isArray(job.crons) ? `${job.crons.join("; ")} ${job.time_zone ?? ""}` : undefined],
    ["Next run", when(job.next_due_at)],
    ["Last run", run.status ?? "none yet"],
    ["Started", when(run.started_at)],
    ["Took", summary.seconds === undefined ? undefined : `${summary.seconds} s`],
    ...counts.map((name) => [name.replaceAll("_", " "), summary[name] === undefined ? undefined : integer(Number(summary[name]))]),
    ["Error", run.error ?? job.last_run_error],
  ];
}

export class WorkerStatus {
  constructor() {
    this.known = false;
    this.next_at = 0;
    this.parts = new Map();
  }

  // Called with each snapshot; asks at most every 15 seconds.
  async update(namespaces) {
    if (!namespaces.some(is_system) || performance.now() < this.next_at) return;
    this.next_at = performance.now() + INTERVAL_MS;
    try {
      const { keys } = await list_keys(SYSTEM_NAMESPACE, { prefix: "status:", limit: DOCUMENTS_MAX });
      const documents = await Promise.all(keys.map(({ name }) => this.read(name)));
      this.show(documents.filter(Boolean));
    } catch (error) {
      set_text(by_id("worker-state"), `The worker's status could not be read: ${error.message}`);
    }
  }

  again() {
    this.next_at = 0;
  }

  async read(name) {
    try {
      const { bytes } = await read_value(SYSTEM_NAMESPACE, name);
      return { name, status: JSON.parse(new TextDecoder().decode(bytes)) };
    } catch (error) {
      if (error.status === 404 || error instanceof SyntaxError) return undefined;  // expired, or nobody's we know
      throw error;
    }
  }

  show(documents) {
    const state = by_id("worker-state");
    set_text(state, documents.length > 0 ? "" : "No worker has published its status in the last minute.");
    state.hidden = documents.length > 0;
    const wanted = new Set(documents.map(({ name }) => name));
    for (const [name, part] of this.parts) {
      if (!wanted.has(name)) {
        part.remove();
        this.parts.delete(name);
      }
    }
    for (const { name, status } of documents) {
      if (status === null || typeof status !== "object") continue;
      const is_job = name.startsWith("status:job:");
      let part = this.parts.get(name);
      if (!part) {
        part = element("div", {}, element("h4", {}, name.replace(/^status:/, "").replace(":", " ")), element("dl", { class: "facts" }));
        this.parts.set(name, part);
        by_id("worker").append(part);
      }
      fill_terms(part.querySelector("dl"), is_job ? job_rows(status) : worker_rows(status));
    }
  }
}
