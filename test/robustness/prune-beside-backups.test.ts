import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

import { prune, Repository } from "@ovault/core";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";

import { BLOCK_BYTES } from "@ovault/test-support/repository/block-disk";
import { brokenPoints, wrongs } from "@ovault/test-support/repository/inspect-blocks";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { temporaryDirectory } from "../support/objects-on-disk.ts";

const PROGRAM = fileURLToPath(new URL("../support/work-on-repository.ts", import.meta.url));
const { signal } = new AbortController();

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** Its input ends when `until` is settled. */
async function run(args: readonly string[], until: Promise<unknown> = Promise.resolve()): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  void until.finally(() => child.stdin.end());
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [code] = await once(child, "close");
  return { code: typeof code === "number" ? code : null, said };
}

test(
  "processes that back up, and one that forgets and prunes without grace, lose nothing",
  { timeout: 120_000 },
  async () => {
    const directory = `${await temporaryDirectory()}/repository`;
    await createFilesystemDestination(directory);
    const store = await FilesystemStore.open(directory);
    await smallRepository(store, BLOCK_BYTES);
    const backups = Promise.all([
      run(["backup", directory, "12", "vm-1,vm-2"]),
      run(["backup", directory, "12", "vm-3,vm-4"]),
    ]);
    const pruning = await run(["prune", directory], backups);
    expect([...(await backups), pruning].map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(await brokenPoints(store)).toEqual([]);
    expect(Number(pruning.said)).toBeGreaterThan(0);
    const repack = { minDeadShare: 0.01, budgetBytes: 1e9 };
    await prune(await Repository.open(store, { packBytes: 1200, signal }), { graceMs: 0, repack, signal });
    expect(await wrongs(store)).toEqual([]);
  },
);
