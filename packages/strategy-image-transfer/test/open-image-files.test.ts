import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { createRunHooks } from "@ovault/contract";
import { transferContext, type OpenTransfer } from "@ovault/ovirt";
import { Qcow2Layer } from "@ovault/qcow2";

import { openImageFiles } from "../src/open-image-files.ts";
import { Bench, never } from "./support/bench.ts";

const MAGIC = Buffer.from("QFI\u00fb", "latin1");
const CLUSTER_BYTES = 65_536;

let bench: Bench;
let volumeId: string;
/** A raw disk in whose first bytes the guest wrote what a QCOW2 file begins with. A snapshot froze it. */
beforeAll(async () => {
  bench = await Bench.open({ engineVersion: "4.2" });
  for (const [offset, pattern] of MAGIC.entries())
    await bench.write(1, { kind: "pattern", offset, length: 1, pattern });
  const { id, disks } = await bench.vm();
  const { snapshots, vms } = bench.manager.api;
  const snapshot = await snapshots.create(id, { description: "of a person" }, never);
  const assertDone = async (): Promise<void> =>
    expect((await snapshots.get(id, snapshot.id, {}, never)).status).toBe("ok");
  await vi.waitFor(assertDone, { timeout: 30_000 });
  const frozen = await vms.snapshotDisks(id, snapshot.id, never);
  volumeId = frozen.find((disk) => disk.id === disks[1]?.id)?.imageId ?? "";
});
afterAll(() => bench.close());
beforeEach(() => bench.lab.alterAnswers(undefined));

/** The engine calls the volume so. */
function sayFormat(format: string): void {
  bench.lab.alterAnswers((xml, { path }) =>
    path.endsWith(`/disksnapshots/${volumeId}`)
      ? xml.replace("</disk_snapshot>", `<format>${format}</format></disk_snapshot>`)
      : xml,
  );
}

/** An empty QCOW2 layer, as old tools make it: it names its base, and not the format of that. */
async function layerOn(base: string, logicalBytes: number): Promise<Qcow2Layer> {
  const file = Buffer.alloc(2 * CLUSTER_BYTES);
  MAGIC.copy(file);
  file.writeUInt32BE(2, 4);
  file.writeBigUInt64BE(72n, 8);
  file.writeUInt32BE(base.length, 16);
  file.writeUInt32BE(Math.log2(CLUSTER_BYTES), 20);
  file.writeBigUInt64BE(BigInt(logicalBytes), 24);
  file.writeUInt32BE(Math.ceil(logicalBytes / (CLUSTER_BYTES * (CLUSTER_BYTES / 8))), 36);
  file.writeBigUInt64BE(BigInt(CLUSTER_BYTES), 40);
  file.write(base, 72);
  const readInto = async (offset: number, target: Uint8Array): Promise<void> => {
    target.set(file.subarray(offset, offset + target.length));
  };
  return await Qcow2Layer.open({ fileBytes: file.length, readInto }, never);
}

async function firstBytes(): Promise<Buffer> {
  const vm = await bench.vm();
  const [, disk] = vm.disks;
  if (disk === undefined) throw new Error("the machine has one disk");
  const ledger = await bench.ledger.forRun({ runId: "run", manager: vm.manager, strategy: bench.strategy.name });
  const run = { runId: "run", ledger, hooks: createRunHooks(), signal: never };
  const options = { connectionsPerHost: 1, inactivityTimeoutSeconds: 60 };
  const context = await transferContext(bench.manager, options, run);
  const opened: OpenTransfer[] = [];
  try {
    const top = await layerOn(volumeId, disk.logicalBytes);
    const chain = await openImageFiles(top, { disk, context, onOpen: (open) => void opened.push(open) }, never);
    const bytes = Buffer.alloc(MAGIC.length);
    await chain.readInto(0, bytes, never);
    return bytes;
  } finally {
    for (const { transfer } of opened) await transfer.end("cancel");
    await ledger.end();
  }
}

test("a volume that the engine calls raw is raw, whatever the guest wrote into its first bytes", async () => {
  sayFormat("raw");
  expect(await firstBytes()).toEqual(MAGIC);
});

test("a volume that the engine calls QCOW2 is read as such", async () => {
  sayFormat("cow");
  await expect(firstBytes()).rejects.toMatchObject({ code: expect.stringMatching(/^E_IMAGE_/) });
});

test("the first bytes decide where neither the layer above nor the engine tells the format", async () => {
  await expect(firstBytes()).rejects.toMatchObject({ code: expect.stringMatching(/^E_IMAGE_/) });
});
