// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium without a window, and pages in it that remember what went wrong.
import { chromium } from "playwright-core";
import { temporary_directory } from "./temporary.mjs";

// Chromium's own traffic would be taken for the page's.
const QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync", "--no-proxy-server"];

export class Browser {
  static async start() {
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: process.getuid() === 0 ? ["--no-sandbox", ...QUIET] : QUIET,
    });
    return Object.assign(new Browser(), { browser, folder: await temporary_directory() });
  }

  // A page of its own context. `faults`: errors of the console and of scripts. `foreign`: requests for
  // other hosts than the one of `url`. `transferred()`: bytes of all answers that have ended.
  async open(url, { width = 1280, height = 900, dark = false, scripts = true, init } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height }, colorScheme: dark ? "dark" : "light", javaScriptEnabled: scripts });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.faults = [];
    page.foreign = [];
    const sizes = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) page.faults.push(message.text());
    });
    page.on("pageerror", (error) => page.faults.push(String(error)));
    page.on("request", (request) => {
      if (new URL(request.url()).host !== new URL(url).host) page.foreign.push(request.url());
    });
    page.on("requestfinished", (request) => sizes.push(request.sizes()));
    page.transferred = async () =>
      (await Promise.all(sizes)).reduce((sum, { responseBodySize }) => sum + responseBodySize, 0);
    if (init) await page.addInitScript(init);
    await page.goto(url);
    return page;
  }

  async close() {
    await this.browser.close();
    await this.folder.close();
  }
}
