#!/usr/bin/env -S node --max-semi-space-size=8
// 8 MiB for what is young: V8 lets that grow as a run goes on, to 100 MiB more after 64 GiB, and is no faster for it.
// Plain JavaScript without new features, so that an old Node can say that it is too old.
import { existsSync } from "node:fs";
import module from "node:module";
import { availableParallelism, homedir } from "node:os";
import { join } from "node:path";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`ovault needs Node 22.19 or later, this is ${process.versions.node} (${process.execPath})\n`);
  process.exit(2);
}

// File access runs in libuv's pool, whose size is read once, at its first use: two threads beyond the cores wait for disks.
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism() + 2));

// Halves the start. Not in the shared temporary directory: what is cached gets executed.
module.enableCompileCache(join(homedir(), ".cache", "ovault", "compile"));

// A process that runs out of work stops handling signals before it is gone, so that a late Ctrl-C would make a success look
// like a kill. One that exits handles them to the end.
process.once("exit", () => process.exit());

// A checkout runs its sources as they stand; a published package holds only what was built.
const source = new URL("../src/main.ts", import.meta.url);
const entry = existsSync(source) ? source : new URL("../dist/main.js", import.meta.url);
const { main } = await import(entry.href);
await main(process.argv.slice(2));
