// SPDX-License-Identifier: Apache-2.0
// An edged node on free ports with its data in a temporary directory, and kvctl against it.
import { execFile, spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { temporary_directory } from "./temporary.mjs";

const bin = process.env.EDGED_BIN;
const PATIENCE_MS = 60_000;
export const ACCOUNT = "0123456789abcdef0123456789abcdef";

// Ours without EDGED_…, so that nobody's shell changes a test.
const clean_environment = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("EDGED_")));

async function read_ports(file, child) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(20)) {
    if (child.exitCode !== null) throw new Error(`edged node ended with exit code ${child.exitCode}`);
    try {
      return JSON.parse(await readFile(file, "utf8"));
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  throw new Error("edged node wrote no ports.json");
}

export class Node {
  // `more`: further arguments; an address among them stands in place of a free port.
  static async start(...more) {
    const folder = await temporary_directory();
    const data = path.join(folder.directory, "data");
    const log = await open(path.join(folder.directory, "node.log"), "a");
    const free = ["--listen", "--http", "--binding"]
      .filter((name) => !more.includes(name)).flatMap((name) => [name, "127.0.0.1:0"]);
    const child = spawn(path.join(bin, "edged"), ["node", "--data", data, ...free, ...more], {
      cwd: folder.directory,
      env: clean_environment(),
      stdio: ["ignore", "ignore", log.fd],
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const node = new Node();
    Object.assign(node, { folder, child, ended, log });
    try {
      node.ports = await read_ports(path.join(data, "ports.json"), child);
    } catch (error) {
      await node.close();
      throw error;
    }
    return node;
  }

  get api() {
    return `http://${this.ports.http}/client/v4`;
  }

  async kvctl(...parts) {
    const address = ["--addr", `unix:${this.ports.unix}`];
    const { stdout } = await promisify(execFile)(path.join(bin, "kvctl"), [...address, ...parts], {
      env: clean_environment(),
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  }

  // The id of a new namespace.
  async create_namespace(title) {
    return JSON.parse(await this.kvctl("namespace", "create", title, "--json")).id;
  }

  async close() {
    this.child.kill();
    await this.ended;
    await this.log.close();
    await this.folder.close();
  }
}
