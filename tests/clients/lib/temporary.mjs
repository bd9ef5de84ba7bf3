// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

// A directory of its own. It is gone after close().
export async function temporary_directory() {
  const directory = await mkdtemp(path.join(tmpdir(), "edged-clients-"));
  return { directory, close: () => rm(directory, { recursive: true, force: true }) };
}
