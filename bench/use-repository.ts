/**
 * Does one thing with a repository, as a process of its own, and prints what it took:
 *
 *     use-repository.ts restore DESTINATION FILE    the newest point to a raw file
 *     use-repository.ts verify DESTINATION          everything, every byte
 *     use-repository.ts prune DESTINATION           forgets all points but the newest, and frees what only they needed
 *
 * DESTINATION is a directory or a JSON file, as for `openRepository`.
 */
import { rm } from "node:fs/promises";

import { prune, restoreToTarget, verifyRepository, type Repository } from "@ovault/core";
import { RawFileTarget } from "@ovault/disk-image";

import { openRepository } from "./open-destination.ts";

const [task = "", destination = "", file = ""] = process.argv.slice(2);
const { signal } = new AbortController();

const tasks: Readonly<Record<string, (repository: Repository) => Promise<unknown>>> = {
  async restore(repository) {
    const point = (await repository.points.list(signal)).points.at(-1);
    const record = point?.disks[0];
    if (point === undefined || record === undefined) throw new Error("there is nothing to restore");
    await rm(file, { force: true });
    const diskId = record.disk.id;
    const target = await RawFileTarget.create({ path: file, diskId, logicalBytes: record.stats.logicalBytes });
    await restoreToTarget({ point, record, target, repository, taps: [], signal });
    await target.finish();
  },
  async verify(repository) {
    const { damage } = await verifyRepository(repository, { signal });
    if (damage.length > 0) throw new Error("there is damage");
  },
  async prune(repository) {
    const { points } = await repository.points.list(signal);
    for (const point of points.slice(0, -1)) await repository.points.forget(point, signal);
    const { freedBytes } = await prune(repository, { graceMs: 0, signal });
    if (freedBytes === 0) throw new Error("nothing was freed");
  },
};

const repository = await openRepository(destination);
await tasks[task]?.(repository);
await repository.close();
process.stdout.write(`${JSON.stringify({ rssMiB: process.resourceUsage().maxRSS / 1024 })}\n`);
