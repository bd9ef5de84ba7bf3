// SPDX-License-Identifier: Apache-2.0
// The keys of a namespace, page by page, and one entry: value, metadata, expiry. Read-only. Keys, values
// and metadata are whatever somebody stored: they are shown as text, with invisible characters visible.
import { list_keys, read_value } from "./api.js";
import { bytes, duration, element, fill_terms, integer, set_text, time } from "./format.js";

const PAGE_KEYS = 100;
const HEX_BYTES_MAX = 4096;
const by_id = (id) => document.getElementById(id);

// Control characters become their pictures; those that turn the direction of text, and others without
// a shape, become their numbers. Line ends and tabs stay if `lines`.
export function visible(text, { lines = false } = {}) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g, (one) => {
    if (lines && (one === "\n" || one === "\t")) return one;
    const code = one.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

// JSON with line breaks and indentation. Works on the text, so numbers and doubled names stay as they are.
// The text must be JSON.
export function indent_json(text) {
  let out = "";
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s"[\]{},:]+/gs)) {
    if (token === "{" || token === "[") {
      ++depth;
      out += token + line();
    } else if (token === "}" || token === "]") {
      --depth;
      out = /[[{]\s*$/.test(out) ? out.trimEnd() + token : out + line() + token;
    } else if (token === ",") {
      out += token + line();
    } else {
      out += token === ":" ? ": " : token;
    }
  }
  return out;
}

export function hex_dump(data) {
  const lines = [];
  for (let at = 0; at < data.length; at += 16) {
    const row = [...data.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${text}`);
  }
  return lines.join("\n");
}

// The text of UTF-8 bytes; undefined if they are no text. A character that was cut off at the end is left out.
function decode(data, cut) {
  for (let drop = 0; drop <= (cut ? 3 : 0); ++drop) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data.subarray(0, data.length - drop));
      return text.includes("\u0000") ? undefined : text;
    } catch {
      // Not with this end.
    }
  }
  return undefined;
}

const is_json = (text) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

// How a value may be shown, the best first: [[name, text], …].
export function views_of({ bytes: data, cut }) {
  const views = [];
  const text = decode(data, cut);
  if (text !== undefined && !cut && is_json(text)) views.push(["JSON", visible(indent_json(text), { lines: true })]);
  if (text !== undefined) views.push(["Text", visible(text, { lines: true })]);
  views.push(["Hex", hex_dump(data.subarray(0, HEX_BYTES_MAX))]);
  return views;
}

const time_left = (expiration) => {
  const left = expiration - Date.now() / 1000;
  return left > 0 ? duration(left) : "expired";
};

export class Browser {
  constructor() {
    this.ns = "";
    this.cursors = [];
    by_id("browse-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.open(by_id("browse-ns").value, by_id("browse-prefix").value);
    });
    by_id("browse-ns").addEventListener("change", (event) => this.open(event.target.value, by_id("browse-prefix").value));
    by_id("next").addEventListener("click", () => this.turn([...this.cursors, this.following]));
    by_id("previous").addEventListener("click", () => this.turn(this.cursors.slice(0, -1)));
  }

  // The namespaces to choose from.
  set_namespaces(namespaces) {
    const shown = namespaces.map(({ id, title }) => `${id} ${title}`).join("\n");
    if (this.shown === shown) return;
    this.shown = shown;
    const select = by_id("browse-ns");
    const chosen = select.value;
    select.replaceChildren(element("option", { value: "" }, "choose …"),
      ...namespaces.map(({ id, title }) => element("option", { value: id }, visible(title))));
    if (namespaces.some(({ id }) => id === chosen)) select.value = chosen;
  }

  open(ns, prefix = "") {
    this.ns = ns;
    this.prefix = prefix;
    by_id("browse-ns").value = ns;
    by_id("browse-prefix").value = prefix;
    by_id("entry").hidden = true;
    return this.turn([]);
  }

  // Shows the page that the last of `cursors` leads to. Only the newest request of all counts.
  async turn(cursors) {
    this.abort?.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    const state = by_id("browse-state");
    if (!this.ns) return;
    set_text(state, "reading …");
    try {
      const page = await list_keys(this.ns, { prefix: this.prefix, cursor: cursors.at(-1), limit: PAGE_KEYS }, signal);
      this.cursors = cursors;
      this.following = page.cursor;
      this.show_page(page.keys);
    } catch (error) {
      if (signal.aborted) return;
      set_text(state, `The keys could not be read: ${error.message}`);
    }
  }

  show_page(keys) {
    const first = this.cursors.length * PAGE_KEYS;
    by_id("keys").replaceChildren(...keys.map((key) => element("li", {}, this.key_button(key))));
    by_id("keys").scrollTop = 0;
    by_id("next").disabled = !this.following;
    by_id("previous").disabled = this.cursors.length === 0;
    const which = keys.length === 0 ? "No keys" : `Keys ${integer(first + 1)} to ${integer(first + keys.length)}`;
    set_text(by_id("browse-state"),
      `${which}${this.prefix ? ` with the prefix ${visible(this.prefix)}` : ""}${this.following ? "; there are more" : ""}.`);
  }

  key_button(key) {
    const button = element("button", { type: "button" }, element("bdi", {}, visible(key.name)),
      element("small", {}, key.expiration ? time_left(key.expiration) : ""));
    button.addEventListener("click", () => {
      for (const other of by_id("keys").querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
      button.setAttribute("aria-current", "true");
      this.show_entry(key);
    });
    return button;
  }

  async show_entry(key) {
    this.reading?.abort();
    this.reading = new AbortController();
    const { signal } = this.reading;
    by_id("entry").hidden = false;
    set_text(by_id("entry-key"), visible(key.name));
    set_text(by_id("entry-value"), "");
    set_text(by_id("entry-note"), "reading …");
    by_id("views").replaceChildren(by_id("views").querySelector("legend"));
    this.show_facts(key, undefined);
    by_id("entry-metadata-part").hidden = key.metadata === undefined;
    set_text(by_id("entry-metadata"), visible(JSON.stringify(key.metadata, null, 2) ?? "", { lines: true }));
    try {
      const value = await read_value(this.ns, key.name, signal);
      this.show_facts(key, value);
      this.show_value(value);
    } catch (error) {
      if (!signal.aborted) set_text(by_id("entry-note"), `The value could not be read: ${error.message}`);
    }
    if (!signal.aborted) by_id("entry").focus({ preventScroll: window.innerWidth > 900 });
  }

  show_facts({ expiration }, value) {
    const size = value && (value.total ?? (value.cut ? undefined : value.bytes.length));
    fill_terms(by_id("entry-facts"), [
      ["Size", size === undefined ? undefined : `${bytes(size)}`],
      ["Expires", expiration ? time(expiration * 1000) : "never"],
      ["Time left", expiration ? time_left(expiration) : undefined],
    ]);
  }

  show_value(value) {
    const views = views_of(value);
    const show = ([name, text]) => {
      const target = by_id("entry-value");
      target.classList.toggle("hex", name === "Hex");
      set_text(target, text);
      const notes = [value.cut ? `Only the first ${bytes(value.bytes.length)} are shown.` : "",
        name === "Hex" && value.bytes.length > HEX_BYTES_MAX ? `Hex shows the first ${bytes(HEX_BYTES_MAX)}.` : "",
        value.bytes.length === 0 ? "The value is empty." : ""];
      set_text(by_id("entry-note"), notes.filter(Boolean).join(" "));
    };
    const choices = views.map((view, at) => element("label", { class: "choice" },
      element("input", { type: "radio", name: "view", checked: at === 0, onchange: () => show(view) }), view[0]));
    by_id("views").replaceChildren(by_id("views").querySelector("legend"), ...choices);
    show(views[0]);
  }
}
