// SPDX-License-Identifier: Apache-2.0
// The node's dashboard in Chromium: what a person sees and does. DASHBOARD_SHOTS names a folder for
// screenshots.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { Browser } from "./lib/browser.mjs";
import { ACCOUNT, Node } from "./lib/node.mjs";

const MANY = 2500;
const PAGE_KEYS = 100;
const axe_file = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const HOSTILE = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "{{7*7}}", "a\u202eb", "line\nbreak",
                 "'\"`&lt;", "%2e%2e/%00", "javascript:alert(3)", "__proto__", "../../etc/passwd", " ", "x".repeat(512)];

let node;
let browser;
let ns;
const namespaces = {};

const at = (id, rest) => `${node.api}/accounts/${ACCOUNT}/storage/kv/namespaces/${id}/${rest}`;

async function put(id, key, value, query = "") {
  const answer = await fetch(at(id, `values/${encodeURIComponent(key)}${query}`),
    { method: "PUT", body: value, headers: { Authorization: "Bearer any" } });
  assert.equal(answer.status, 200, await answer.text());
}

async function put_many(id, entries) {
  const answer = await fetch(at(id, "bulk"), {
    method: "PUT", body: JSON.stringify(entries),
    headers: { Authorization: "Bearer any", "Content-Type": "application/json" } });
  assert.equal(answer.status, 200, await answer.text());
}

const dashboard = () => `http://${node.ports.http}/`;
const live = (page) => page.locator("#state[data-state=live]").waitFor();

async function screenshot(page, name) {
  if (!process.env.DASHBOARD_SHOTS) return;
  await page.screenshot({ path: path.join(process.env.DASHBOARD_SHOTS, `${name}.png`), fullPage: true });
}

function assert_clean(page) {
  assert.deepEqual(page.faults, []);
  assert.deepEqual(page.foreign, []);
}

// The names of the keys on the page.
const shown_keys = (page) => page.locator("#keys bdi").allTextContents();

async function browse(page, id, prefix = "") {
  await page.locator("#browse-ns").selectOption(id);
  await page.locator("#browse-prefix").fill(prefix);
  await page.getByRole("button", { name: "List", exact: true }).click();
}

async function show(page, key) {
  await page.locator("#keys button").nth((await shown_keys(page)).indexOf(key)).click();
  await page.waitForFunction(() => document.getElementById("entry-note").textContent !== "reading …");
}

before(async () => {
  node = await Node.start();
  browser = await Browser.start();
  for (const title of ["shop", "hostile", "<b>bold</b> & \"quoted\"", "many"]) {
    namespaces[title] = await node.create_namespace(title);
  }
  ns = namespaces.shop;
  await put_many(namespaces.many, Array.from({ length: MANY }, (_, number) =>
    ({ key: `key:${String(number).padStart(6, "0")}`, value: `value ${number}` })));
  await put_many(namespaces.hostile, HOSTILE.map((key) => ({ key, value: key, metadata: { said: key } })));
});
after(async () => {
  await browser?.close();
  await node?.close();
});

test("loads without errors, without other hosts, in less than 150 KB", async () => {
  const page = await browser.open(dashboard());
  await live(page);
  await page.locator("#chart-ops canvas").first().waitFor();
  assert.ok(await page.transferred() < 150_000, `${await page.transferred()} bytes`);
  assert_clean(page);
  await page.context().close();
});

test("shows a write that was made a second ago", async () => {
  const page = await browser.open(dashboard());
  await live(page);
  const keys = page.locator("#namespaces tr").filter({ hasText: "shop" }).locator("td").nth(1);
  await assert.doesNotReject(keys.waitFor());
  const earlier = Number(await keys.textContent());
  await put(ns, `fresh-${Date.now()}`, "now");
  await page.waitForFunction(([title, count]) => [...document.querySelectorAll("#namespaces tr")]
    .some((row) => row.cells[0].textContent === title && row.cells[1].textContent === String(count)),
    ["shop", earlier + 1], { timeout: 30_000 });
  await page.waitForFunction(() => document.querySelector("#chart-ops .key:nth-child(2) b").textContent !== "–");
  assert_clean(page);
  await page.context().close();
});

test("pages through all keys of a namespace, and back", async () => {
  const page = await browser.open(dashboard());
  await live(page);
  await browse(page, namespaces.many);
  const seen = [];
  for (let number = 0; number < MANY / PAGE_KEYS; ++number) {
    const first = `Keys ${(number * PAGE_KEYS + 1).toLocaleString("en-US")} to`;
    await page.locator("#browse-state").filter({ hasText: first }).waitFor();
    seen.push(...await shown_keys(page));
    if (number + 1 < MANY / PAGE_KEYS) await page.locator("#next").click();
  }
  assert.equal(seen.length, MANY);
  assert.equal(new Set(seen).size, MANY);
  assert.ok(await page.locator("#next").isDisabled());
  await page.locator("#previous").click();
  await page.locator("#browse-state").filter({ hasText: "Keys 2,301 to 2,400" }).waitFor();
  await browse(page, namespaces.many, "key:0000");
  await page.locator("#browse-state").filter({ hasText: "with the prefix key:0000" }).waitFor();
  assert.equal((await shown_keys(page)).length, 100);
  assert_clean(page);
  await page.context().close();
});

test("hostile titles, keys, values and metadata are text", async () => {
  const page = await browser.open(dashboard(), { init: () => { window.alert = () => { window.alerted = true; }; } });
  await live(page);
  await page.getByRole("button", { name: "<b>bold</b> & \"quoted\"" }).waitFor();
  await browse(page, namespaces.hostile);
  await page.locator("#browse-state").filter({ hasText: `Keys 1 to ${HOSTILE.length}` }).waitFor();
  for (const key of HOSTILE) {
    const shown = key.replace("\n", "␊").replace("\u202e", "\\u202e");
    assert.ok((await shown_keys(page)).includes(shown), shown);
    await show(page, shown);
    assert.equal(await page.locator("#entry-key").textContent(), shown);
    assert.equal(await page.locator("#entry-value").textContent(), key.replace("\u202e", "\\u202e"));
    assert.match(await page.locator("#entry-metadata").textContent(), /^\{\n  "said": /);
  }
  assert.equal(await page.locator("#keys img, #keys script, #entry img, #entry script, #namespaces b").count(), 0);
  assert.equal(await page.evaluate(() => window.alerted), undefined);
  assert_clean(page);
  await page.context().close();
});

test("values are shown as JSON, text or bytes, large ones in part", async () => {
  await put(ns, "json", '{"big":12345678901234567890,"list":[1,{}],"a":"x\\n"}', "?expiration_ttl=3600");
  await put(ns, "text", "plain\n\ttext é😀");
  await put(ns, "bytes", new Uint8Array([0, 255, 65]));
  await put(ns, "empty", "");
  await put(ns, "large", "é".repeat(4 * 1024 * 1024));
  const page = await browser.open(dashboard());
  await live(page);
  await browse(page, ns);
  const value = page.locator("#entry-value");
  await show(page, "json");
  assert.equal(await value.textContent(), '{\n  "big": 12345678901234567890,\n  "list": [\n    1,\n    {}\n  ],\n  "a": "x\\n"\n}');
  assert.match(await page.locator("#entry-facts").textContent(), /Time left(1 h|59 min)/);
  await page.getByLabel("Hex").check();
  assert.match(await value.textContent(), /^000000 {2}7b 22 62 69 67 22/);
  await show(page, "text");
  assert.equal(await value.textContent(), "plain\n\ttext é😀");
  await show(page, "bytes");
  assert.match(await value.textContent(), /^000000 {2}00 ff 41 +\.\.A$/);
  await show(page, "empty");
  assert.equal(await page.locator("#entry-note").textContent(), "The value is empty.");
  await show(page, "large");
  assert.match(await page.locator("#entry-facts").textContent(), /8\.0 MiB/);
  assert.equal(await page.locator("#entry-note").textContent(), "Only the first 64.0 KiB are shown.");
  assert.equal((await value.textContent()).length, 32 * 1024);
  assert_clean(page);
  await screenshot(page, "browse");
  await page.context().close();
});

for (const { name, width, dark } of [{ name: "light", width: 1280, dark: false }, { name: "dark", width: 1280, dark: true },
                                     { name: "phone", width: 360, dark: false }, { name: "phone-dark", width: 360, dark: true }]) {
  test(`${name}: fits its ${width} px and passes axe-core`, async () => {
    const page = await browser.open(dashboard(), { width, dark });
    await live(page);
    await browse(page, ns);
    await show(page, "json");
    await page.waitForTimeout(process.env.DASHBOARD_SHOTS ? 12_000 : 2500);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `${wide} px too wide`);
    await screenshot(page, name);
    await page.evaluate(await readFile(axe_file, "utf8"));
    const { violations } = await page.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), []);
    assert_clean(page);
    await page.context().close();
  });
}

test("everything can be reached and used by the keyboard", async () => {
  const page = await browser.open(dashboard());
  await live(page);
  await page.getByRole("button", { name: "shop", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.locator("#keys button").first().waitFor();
  const focused = () => page.evaluate(() => document.activeElement.closest("#keys") !== null);
  for (let presses = 0; presses < 10 && !await focused(); ++presses) await page.keyboard.press("Tab");
  assert.ok(await focused());
  await page.keyboard.press("Enter");
  await page.locator("#entry").waitFor();
  assert_clean(page);
  await page.context().close();
});

test("shows what a worker published, and that it has gone", async () => {
  const own = await Node.start();
  try {
    const system = "00000000000000000000006564676564";
    await own.kvctl("namespace", "create", "edged-system", "--id", system);
    const publish = (key, document) => own.kvctl("--ns", "edged-system", "put", key, JSON.stringify(document));
    await publish("status:worker:w1", { worker: "w1", version: "9.8.7", ready: false, why: "PostgreSQL <b>is away</b>",
      roles: ["cron", "mail"], mirror: "off", upstream: { requests: 1234, circuit: "open", circuit_reason: "time-outs" } });
    await publish("status:job:class-monitor", { name: "class-monitor", crons: ["0 * * * *"], time_zone: "UTC",
      last_run: { status: "succeeded", started_at: "2026-11-30T21:00:00.000Z", summary: { sections: 100, failed: 3, seconds: 1.5 } } });
    await publish("status:odd", null);
    await own.kvctl("--ns", "edged-system", "put", "status:broken", "{");
    const page = await browser.open(`http://${own.ports.http}/`);
    await live(page);
    const worker = page.locator("#worker");
    for (const text of ["worker w1", "no: PostgreSQL <b>is away</b>", "9.8.7", "cron, mail", "1,234", "time-outs",
                        "job class-monitor", "0 * * * * UTC", "succeeded", "1.5 s"]) {
      await worker.getByText(text, { exact: true }).waitFor();
    }
    await screenshot(page, "worker");
    for (const key of ["status:worker:w1", "status:job:class-monitor", "status:odd", "status:broken"]) {
      await own.kvctl("--ns", "edged-system", "del", key);
    }
    await page.getByText("No worker has published its status in the last minute.").waitFor();
    assert_clean(page);
    await page.context().close();
  } finally {
    await own.close();
  }
});

test("says what to do without JavaScript", async () => {
  const page = await browser.open(dashboard(), { scripts: false });
  const notice = page.locator("noscript");
  assert.ok(await page.locator("main").isHidden());
  assert.match(await notice.innerText(), /needs JavaScript.*\/metrics.*kvctl stats/s);
  await screenshot(page, "noscript");
  await page.context().close();
});

test("a node with tokens asks for one, keeps it in the tab and forgets it on request", async () => {
  const guarded = await Node.start();
  try {
    const { secret } = JSON.parse(
      await guarded.kvctl("token", "create", "dashboard", "--scope", "metrics,list,read", "--json"));
    const page = await browser.open(`http://${guarded.ports.http}/`);
    await page.locator("#token-form").waitFor();
    await page.locator("#token").fill("wrong");
    await page.keyboard.press("Enter");
    await page.locator("#token-why").filter({ hasText: "not valid here" }).waitFor();
    const { secret: narrow } = JSON.parse(await guarded.kvctl("token", "create", "narrow", "--scope", "list,read", "--json"));
    await page.locator("#token").fill(narrow);
    await page.keyboard.press("Enter");
    await page.locator("#token-why").filter({ hasText: "lacks the scope metrics" }).waitFor();
    await screenshot(page, "token");
    await page.locator("#token").fill(secret);
    await page.keyboard.press("Enter");
    await live(page);
    assert.ok(await page.locator("#token-form").isHidden());
    await page.reload();
    await live(page);
    await page.getByRole("button", { name: "Forget token" }).click();
    await page.locator("#token-form").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await page.context().close();
  } finally {
    await guarded.close();
  }
});

test("finds a node that was started again", async () => {
  const first = await Node.start();
  const page = await browser.open(`http://${first.ports.http}/`);
  await live(page);
  const http = first.ports.http;
  await first.close();
  await page.locator("#state[data-state=lost]").waitFor();
  const second = await Node.start("--http", http);
  await live(page);
  await second.close();
  await page.context().close();
});
