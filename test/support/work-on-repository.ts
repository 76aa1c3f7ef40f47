/**
 * Works on a repository of tiny blocks beside others that do so too: `backup` takes points of machines that share their
 * blocks with those of others, `prune` forgets some and prunes without grace, over and over until its input ends.
 */
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@ovault/contract";
import { FileLedger, prune, Repository } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";

import { takeBlockPoint } from "@ovault/test-support/repository/take-block-point";

const [what = "", directory = "", rounds = "0", machines = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const CONTENTS = 9;
const BLOCKS = 6;

function any(below: number): number {
  return Math.floor(Math.random() * below);
}

async function open(): Promise<Repository> {
  return await Repository.open(await FilesystemStore.open(directory), { packBytes: 1200, signal });
}

async function backUp(): Promise<void> {
  const own = join(directory, `~ledger-${process.pid}`);
  await mkdir(own);
  const ledger = await FileLedger.open(own);
  const repository = await open();
  for (let round = 0; round < Number(rounds); round += 1) {
    for (const vm of machines.split(",")) {
      const blocks = Array.from({ length: BLOCKS }, () => any(CONTENTS));
      await takeBlockPoint(repository, { vm, blocks, full: any(4) === 0, tracks: any(2) === 0 }, { ledger, signal });
    }
  }
}

async function forgetAndPrune(): Promise<number> {
  let freed = 0;
  let isLast = false;
  const repository = await open();
  const over = once(process.stdin.resume(), "end");
  void over.then(() => (isLast = true));
  for (let wasLast = false; !wasLast;) {
    wasLast = isLast;
    const { points } = await repository.points.list(signal);
    for (const point of points) if (any(2) === 0) await repository.points.forget(point, signal);
    const repack = { minDeadShare: Math.random(), budgetBytes: 1e6 };
    freed += (await prune(repository, { graceMs: 0, repack, signal })).freedPacks;
  }
  return freed;
}

try {
  if (what === "backup") await backUp();
  else process.stdout.write(`${await forgetAndPrune()}\n`);
} catch (error) {
  process.stderr.write(`${String(error)} ${hasCode(error, "E_INTEGRITY") ? String(error.cause) : ""}\n`);
  process.exitCode = 1;
}
