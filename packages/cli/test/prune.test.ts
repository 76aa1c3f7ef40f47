import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { processIdentity, type RecoveryPoint } from "@ovault/contract";
import { machineLease, Repository } from "@ovault/core";
import { acquireLease } from "@ovault/core/internal/leases/lease";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";
import { type ModelDisk, sourceOf } from "@ovault/testkit";

import { takePoint } from "@ovault/test-support/repository/take-point";
import { runOvaultIn } from "./run-ovault-in.ts";

const { signal } = new AbortController();
const BLOCK_BYTES = 256 * 1024;

let directory: string;
let repository: Repository;
let first: RecoveryPoint;
let second: RecoveryPoint;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-prune-"));
  await createFilesystemDestination(join(directory, "nas"));
  repository = await Repository.create(await FilesystemStore.open(join(directory, "nas")), {
    blockBytes: BLOCK_BYTES,
    signal,
  });
  // Packs of their own, but for the half that they share.
  first = await takePoint(repository, [sourceOf(diskOf([1, 2, 3, 4]))]);
  second = await takePoint(repository, [sourceOf(diskOf([1, 2, 5, 6]))]);
  const yaml = ["destinations:", "  nas: { type: filesystem, directory: nas }"];
  await writeFile(join(directory, "ovault.yaml"), yaml.join("\n"));
});
afterEach(async () => {
  await repository.close();
  await rm(directory, { recursive: true, force: true });
});

/** Blocks that do not shrink much. */
function diskOf(blocks: readonly number[]): ModelDisk {
  const bytes = new Uint8Array(blocks.length * BLOCK_BYTES);
  for (const [at, content] of blocks.entries()) {
    let state = content;
    for (let byte = at * BLOCK_BYTES; byte < (at + 1) * BLOCK_BYTES; byte += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      bytes[byte] = state >>> 24;
    }
  }
  return { bytes, extents: [{ offset: 0, length: bytes.byteLength, kind: "data" }] };
}

/** On the configuration above. */
const { ovault, text } = runOvaultIn(() => directory);

async function storedBytes(prefix = ""): Promise<number> {
  let sum = 0;
  for await (const { bytes } of repository.store.list(prefix, { signal })) sum += bytes;
  return sum;
}

async function holdMachine() {
  return await acquireLease(repository.store, {
    resource: machineLease(repository.protection, second.vm).resource,
    holder: { runId: "run-of-somebody", ...processIdentity() },
    ttlMs: 60_000,
    ifBusy: "refuse",
    signal,
  });
}

describe("ovault prune", () => {
  test("frees what was forgotten, in two steps, and what is left restores", async () => {
    await ovault("forget", first.id);
    const told = await ovault("prune", "--repack", "10%", "--dry-run");
    expect(told).toMatchObject({ exitCode: 0, data: { dryRun: true, freedPacks: 0, repackedPacks: 1 } });
    const condemned = await ovault("prune", "--repack", "10%");
    expect(condemned).toMatchObject({ exitCode: 0, data: { freedPacks: 0, repackedPacks: 1 } });
    const before = await storedBytes("packs/");
    expect(await text("prune")).toMatch(/^freed +0 B in 0 packs$[^]*^condemned .* to be freed from 20\d\d-.* on$/m);
    const freed = await ovault("prune", "--grace", "0");
    expect(freed).toMatchObject({ exitCode: 0, data: { condemnedPacks: 0, deletedPoints: 1, heldBy: [] } });
    expect(await storedBytes("packs/")).toBeLessThan(before);
    expect(await ovault("verify", "--all")).toMatchObject({ exitCode: 0, data: { points: 1, damage: [] } });
  });

  test("reports what it did, and what it would do", async () => {
    await ovault("forget", first.id, second.id);
    const told = await text("prune", "--dry-run");
    expect(told).toMatch(/^would be condemned +[\d.]+ MiB in \d packs, to be freed from .* on$/m);
    expect(told).toContain("Nothing was changed.");
    expect(await text("prune", "--grace", "0")).toMatch(
      /^freed +[\d.]+ MiB in \d packs, and the manifests of 2 forgotten points$/m,
    );
    expect(await storedBytes("packs/")).toBe(0);
  });

  test("waits for runs that do not know what is condemned, and names them", async () => {
    const lease = await holdMachine();
    await ovault("forget", first.id, second.id);
    const held = { runId: "run-of-somebody", pid: process.pid };
    expect(await ovault("prune", "--grace", "0")).toMatchObject({
      exitCode: 0,
      data: { freedPacks: 0, heldBy: [held] },
    });
    expect(await text("prune", "--grace", "0")).toMatch(
      new RegExp(`Waiting for runs.*\\n  run run-of-somebody \\(process ${process.pid} on .*\\) works on `),
    );
    await lease.release();
    expect(await ovault("prune", "--grace", "0")).toMatchObject({ data: { condemnedPacks: 0, heldBy: [] } });
    expect(await storedBytes("packs/")).toBe(0);
  });

  test("copies nothing with --repack none, and only within its budget", async () => {
    await ovault("forget", first.id);
    const nothing = { repackedPacks: 0, copiedBytes: 0 };
    expect(await ovault("prune", "--repack", "none")).toMatchObject({ data: nothing });
    expect(await ovault("prune", "--repack", "10%", "--repack-budget", "1K")).toMatchObject({ data: nothing });
    expect(await ovault("prune", "--repack", "10%")).toMatchObject({ data: { repackedPacks: 1 } });
  });

  test("refuses beside another prune", async () => {
    const lease = await acquireLease(repository.store, {
      resource: "maintenance",
      holder: { runId: "another", ...processIdentity() },
      ttlMs: 60_000,
      ifBusy: "refuse",
      signal,
    });
    const refused = await ovault("prune");
    expect(refused).toMatchObject({ exitCode: 6, data: undefined });
    expect(refused.stderr).toContain("E_LEASE_HELD");
    await lease.release();
  });

  test.each([
    ["--grace", "soon"],
    ["--repack", "half"],
    ["--repack", "0%"],
    ["--repack-budget", "much"],
  ])("refuses %s %s", async (...args) => {
    expect(await ovault("prune", ...args)).toMatchObject({ exitCode: 2, data: undefined });
  });
});

describe("ovault space", () => {
  test("says that prune holds back what is dead while pages of a point are lost", async () => {
    for await (const { key } of repository.store.list("packs/", { signal })) {
      const [kind] = await repository.store.get(key, { range: { offset: 9, length: 1 }, signal });
      if (kind === 2) await repository.store.delete(key, { signal });
    }
    await ovault("repair");
    const points = [first.id, second.id].toSorted();
    expect(await ovault("space")).toMatchObject({ exitCode: 0, data: { heldByLosses: points } });
    const shown = await text("space");
    expect(shown).toMatch(
      /^dead packs +[\d.]+ MiB in \d packs; prune holds it back while pages of block maps are lost$/m,
    );
    expect(shown).not.toContain("the next prune condemns");
    expect(shown).toContain(`No pack is freed:\n  ${points.join("\n  ")}\n`);
    expect(await ovault("prune")).toMatchObject({ data: { condemnedPacks: 0, heldByLosses: points } });
    await ovault("forget", ...points);
    expect(await ovault("space")).toMatchObject({ data: { heldByLosses: [] } });
    expect(await text("space")).toContain("the next prune condemns them");
  });

  test("accounts for every byte of the destination", async () => {
    const { exitCode, data } = await ovault("space");
    const { size } = await stat(join(directory, "nas", "ovault-repository"));
    expect(exitCode).toBe(0);
    expect(data).toMatchObject({
      totalBytes: await storedBytes(),
      metadata: { indexBytes: await storedBytes("index/"), otherBytes: size },
      logicalBytes: 8 * BLOCK_BYTES,
      plainBytes: 6 * BLOCK_BYTES,
      deadBytes: 0,
      machines: [{ vm: { id: second.vm.id }, points: 2, sharedBytes: 0 }],
    });
  });

  test("shows what prune frees, and what holds it", async () => {
    expect(await text("space")).toMatch(/^after deduplication +1\.5 MiB, 1\.3 : 1$/m);
    await ovault("forget", first.id);
    expect(await text("space")).toMatch(/^dead +\d+ KiB in packs that are needed/m);
    await ovault("forget", second.id);
    const shown = await text("space");
    expect(shown).toMatch(/^dead packs +[\d.]+ MiB in \d packs; the next prune condemns them$/m);
    expect(shown).toContain("no recovery points yet");
    const lease = await holdMachine();
    await ovault("prune");
    expect(await text("space")).toMatch(
      /^condemned +[\d.]+ MiB in \d packs, to be freed from .* on$[^]*Runs that may rely on [^]*run-of-somebody/m,
    );
    await lease.release();
  });
});
