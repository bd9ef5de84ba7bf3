// SPDX-License-Identifier: Apache-2.0
// Numbers, times and elements. Texts get into the page by element() alone, as text and never as HTML.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count) {
  if (!Number.isFinite(count)) return "–";
  let unit = 0;
  while (Math.abs(count) >= 1024 && unit < UNITS.length - 1) {
    count /= 1024;
    ++unit;
  }
  return `${count.toFixed(unit === 0 || count >= 100 ? 0 : 1)} ${UNITS[unit]}`;
}

const GROUPED = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
export const integer = (count) => (Number.isFinite(count) ? GROUPED.format(count) : "–");

// 0, 0.4, 12, 3.4k, 1.2M: for rates and axes.
export function short(count) {
  if (!Number.isFinite(count)) return "–";
  const size = Math.abs(count);
  if (size >= 1e9) return `${(count / 1e9).toFixed(1)}G`;
  if (size >= 1e6) return `${(count / 1e6).toFixed(1)}M`;
  if (size >= 1e4) return `${(count / 1e3).toFixed(1)}k`;
  if (size >= 10 || Number.isInteger(count)) return count.toFixed(0);
  return count.toFixed(1);
}

export const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : "–");

// 3 d 4 h, 5 h 10 min, 12 min 3 s, 4 s.
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([count], at) => at === 0 || count > 0)
    .map(([count, unit]) => `${count} ${unit}`).join(" ");
}

// Of a time of a few microseconds to a minute.
export function latency(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(2))} ms`;
  return `${Number(seconds.toPrecision(2))} s`;
}

const two = (number) => String(number).padStart(2, "0");
// In the reader's time zone: 2026-11-30 21:05:09.
export function time(ms) {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return "–";
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
    `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

// An element with attributes and children; strings become text. `on…` attributes are listeners.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// Sets a text only if it is another one: screen readers and selections are left alone.
export function set_text(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

// Terms and their values as the rows of a <dl>. Rows without a value are left out.
export function fill_terms(list, rows) {
  const shown = rows.filter(([, value]) => value !== undefined && value !== null && value !== "");
  const wanted = shown.map(([term, value]) => `${term}\u0000${value}`).join("\u0001");
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(...shown.map(([term, value]) =>
    element("div", {}, element("dt", {}, term), element("dd", {}, String(value)))));
}
