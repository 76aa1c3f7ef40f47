import type { ObjectStore } from "@ovault/contract";
import type { Repository } from "@ovault/core";
import { listed } from "@ovault/testkit";

import { leavesOf } from "@ovault/core/internal/repository/block-map/block-map-leaves";
import { COPIES } from "@ovault/core/internal/repository/packs/pack-format";
import { readPackListing } from "@ovault/core/internal/repository/packs/read-pack-listing";
import { toHex } from "@ovault/core/internal/util/hex";
import { reopen } from "./small-repository.ts";
import { never, restoredBytes } from "./take-point.ts";
import { blockDisk, blocksOf } from "./block-disk.ts";

/** Points that do not restore as what their machine was. */
export async function brokenPoints(store: ObjectStore): Promise<readonly string[]> {
  return await brokenIn(await reopen(store));
}

/** What is in packs and in no point that is visible, or there too often; counted without the code that prunes. */
export async function garbage(store: ObjectStore): Promise<readonly string[]> {
  return await garbageIn(await reopen(store));
}

/** Both. */
export async function wrongs(store: ObjectStore): Promise<readonly string[]> {
  const repository = await reopen(store);
  return [...(await brokenIn(repository)), ...(await garbageIn(repository))];
}

async function brokenIn(repository: Repository): Promise<readonly string[]> {
  const { points, damaged } = await repository.points.list(never);
  const broken = damaged.map(({ key }) => key);
  for (const point of points) {
    const expected = blockDisk(blocksOf(point.vm)).bytes;
    const bytes = await restoredBytes(repository, point).catch((error: unknown) => String(error));
    const isRight = typeof bytes !== "string" && Buffer.compare(bytes, expected) === 0;
    if (!isRight) broken.push(`${point.id} of ${point.vm.id}: ${typeof bytes === "string" ? bytes : "other bytes"}`);
  }
  return broken;
}

async function garbageIn(repository: Repository): Promise<readonly string[]> {
  const { store } = repository;
  const needed = new Set<string>();
  for (const point of (await repository.points.list(never)).points) {
    for (const record of point.disks) {
      // Disks of tests are small: the root is the only page.
      if (record.blockMap !== null) needed.add(record.blockMap);
      for await (const leaf of leavesOf(await repository.openMap(point, record, never), never)) {
        if (leaf.kind === "blocks") for (const id of leaf.ids) if (id !== null) needed.add(toHex(id));
      }
    }
  }
  const found: string[] = [];
  const seen = new Map<string, number>();
  for (const info of await listed(store, "packs/")) {
    const { kind, entries } = await readPackListing(store, repository.protection, info, never);
    for (const { id } of entries) {
      const name = toHex(id);
      const copies = (seen.get(name) ?? 0) + 1;
      if (!needed.has(name) || copies > COPIES[kind]) found.push(`${name} in ${info.key}`);
      seen.set(name, copies);
    }
  }
  const rest = [...(await listed(store, "condemned/")), ...(await listed(store, "verdicts/"))].map(({ key }) => key);
  const marks = (await listed(store, "points/")).map(({ key }) => key).filter((key) => key.endsWith(".forgotten"));
  return [...found, ...rest, ...marks];
}
