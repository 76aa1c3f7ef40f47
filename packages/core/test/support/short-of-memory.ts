/** Opens a new repository with a passphrase when there is no memory left for that; prints the error as JSON. */
import { execFileSync } from "node:child_process";
import { createHash, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";

import type { OvaultError } from "@ovault/contract";
import { Repository, RepositorySecret } from "@ovault/core";
import { MemoryStore } from "@ovault/testkit";

const { signal } = new AbortController();
const secret = RepositorySecret.passphrase("correct horse battery staple");
const store = new MemoryStore();
await Repository.create(store, { encryption: { secret }, signal });
await Promise.all(Array.from({ length: 8 }, () => webcrypto.subtle.digest("SHA-256", createHash("sha256").digest())));

const usedKib = Number(/^VmSize:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
const limit = (usedKib + 64 * 1024) * 1024;
execFileSync("prlimit", ["--pid", String(process.pid), `--as=${limit}:${limit}`]);
try {
  await Repository.open(store, { secret, signal });
} catch (error) {
  const { code, message, hint } = error as OvaultError;
  process.stdout.write(JSON.stringify({ code, message, hint }));
}
