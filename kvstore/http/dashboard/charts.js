// SPDX-License-Identifier: Apache-2.0
// Time series drawn by dygraphs (the global Dygraph), in the colours of the style sheet. Each chart has a
// legend of our own as text: dygraphs' own one writes styles into the page, which the page's policy forbids.
import { element, set_text } from "./format.js";

Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Chart {
  // series: [{label, field, colour: "--line-1"}]; format: a value as text.
  constructor(target, { series, format, y_max }) {
    Object.assign(this, { target, series, format, y_max });
    this.values = series.map(() => element("b", {}, "–"));
    const keys = series.map(({ label, colour: name }, at) =>
      element("span", { class: `key ${name.slice(2)}` }, label, " ", this.values[at]));
    this.canvas = element("div", { class: "canvas", role: "img", "aria-label": `${target.dataset.title}: no data yet` });
    target.append(element("div", { class: "legend" }, ...keys), this.canvas);
    new ResizeObserver(() => this.graph?.resize()).observe(this.canvas);
  }

  options() {
    const label_of = (value) => this.format(value);
    return {
      labels: ["time", ...this.series.map(({ label }) => label)],
      colors: this.series.map(({ colour: name }) => colour(name)),
      axisLineColor: colour("--line"),
      gridLineColor: colour("--line"),
      axes: {
        y: { axisLabelFormatter: label_of, axisLabelWidth: 56, pixelsPerLabel: 26 },
        x: { pixelsPerLabel: 80 },
      },
      strokeWidth: 1.7,
      fillGraph: this.series.length === 1,
      highlightCircleSize: 3,
      includeZero: true,
      valueRange: this.y_max === undefined ? null : [0, this.y_max],
      connectSeparatedPoints: false,
      interactionModel: {},  // touches scroll the page
      highlightCallback: (_event, _x, points, row) => this.show(row, points),
      unhighlightCallback: () => this.show_last(),
    };
  }

  // points: [{at, field: number | undefined, …}], the oldest first.
  update(points) {
    if (points.length === 0) return;
    this.points = points;
    const file = points.map((point) => [new Date(point.at), ...this.series.map(({ field }) => point[field] ?? null)]);
    if (!this.graph) {
      this.graph = new Dygraph(this.canvas, file, this.options());
    } else {
      this.graph.updateOptions({ file });
    }
    if (!this.highlighted) this.show_last();
  }

  show(row, points) {
    this.highlighted = true;
    this.series.forEach(({ label }, at) => {
      const found = points.find(({ name }) => name === label);
      set_text(this.values[at], found ? this.format(found.yval) : "–");
    });
  }

  show_last() {
    this.highlighted = false;
    const last = this.points?.at(-1) ?? {};
    this.series.forEach(({ field }, at) => set_text(this.values[at], this.format(last[field])));
    const words = this.series.map(({ label, field }) => `${label} ${this.format(last[field])}`);
    this.canvas.setAttribute("aria-label", `${this.target.dataset.title}: ${words.join(", ")}`);
  }

  // Other colours: the reader's system went from light to dark.
  restyle() {
    if (!this.graph) return;
    const { colors, axisLineColor, gridLineColor } = this.options();
    this.graph.updateOptions({ colors, axisLineColor, gridLineColor });
  }
}
