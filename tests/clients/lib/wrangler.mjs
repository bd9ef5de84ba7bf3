// SPDX-License-Identifier: Apache-2.0
// The wrangler program as a user runs it against a node: by its command line, with the API's address
// and a token in the environment.
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { ACCOUNT } from "./node.mjs";
import { temporary_directory } from "./temporary.mjs";

const program = path.join(import.meta.dirname, "..", "node_modules", "wrangler", "bin", "wrangler.js");

export class Wrangler {
  // `api`: the base URL. The working directory is empty: there is no wrangler.jsonc.
  static async create(api) {
    const folder = await temporary_directory();
    return Object.assign(new Wrangler(), { folder, api });
  }

  get directory() {
    return this.folder.directory;
  }

  environment(token) {
    return {
      PATH: process.env.PATH,
      HOME: this.directory,
      CI: "1",  // asks no questions
      NO_COLOR: "1",
      WRANGLER_HIDE_BANNER: "true",  // the banner looks for a newer release
      WRANGLER_SEND_METRICS: "false",
      CLOUDFLARE_API_BASE_URL: this.api,
      CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
      CLOUDFLARE_API_TOKEN: token,
    };
  }

  // Runs `wrangler PARTS…` to its end. `stdout` is a Buffer, `stderr` a text.
  run(parts, { token = "any" } = {}) {
    const child = spawn(process.execPath, [program, ...parts], {
      cwd: this.directory,
      env: this.environment(token),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const read = { stdout: [], stderr: [] };
    for (const [name, blocks] of Object.entries(read)) child[name].on("data", (block) => blocks.push(block));
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) =>
        resolve({ code, stdout: Buffer.concat(read.stdout), stderr: String(Buffer.concat(read.stderr)) }));
    });
  }

  // A file in the working directory, by its name. Objects are written as JSON.
  async file(name, content) {
    const bytes = Buffer.isBuffer(content) ? content : JSON.stringify(content);
    await writeFile(path.join(this.directory, name), bytes);
    return name;
  }

  close() {
    return this.folder.close();
  }
}
