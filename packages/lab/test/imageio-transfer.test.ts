import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { CLUSTER_BYTES, MiB, addDisk, openTestHypervisor, viewDisk } from "./support/test-hypervisor.ts";
import { startTestImageio, ticketFor, type WireConnection } from "./support/test-imageio.ts";

test.each(["cow", "raw"] as const)("what is uploaded to a %s disk is what the disk holds", async (format) => {
  const lab = await openTestHypervisor();
  await addDisk(lab, "disk", { format });
  const target = await lab.hypervisor.openExport({ exportId: "e", diskId: "disk", writable: true });
  const { imageio, connect } = await startTestImageio();
  await imageio.addTicket(ticketFor("t", target, { sizeBytes: 4 * MiB, ops: ["write"] }));
  const connection = await connect();
  const bytes = randomBytes(1_500_000);

  const put = "PUT /images/t?flush=n HTTP/1.1\nContent-Range: bytes 12345-1512344/*";
  expect((await connection.request(put, bytes)).status).toBe(200);
  const zero = '{"op": "zero", "offset": 100000, "size": 200000}';
  expect((await connection.request("PATCH /images/t HTTP/1.1", zero)).status).toBe(200);
  expect((await connection.request("PATCH /images/t HTTP/1.1", '{"op": "flush"}')).status).toBe(200);
  expect(await imageio.ticketInfo("t")).toMatchObject({ transferredBytes: 1_500_000 });
  await imageio.removeTicket("t");
  await lab.hypervisor.closeExport("e");

  const expected = Buffer.alloc(4 * MiB);
  bytes.copy(expected, 12345);
  expected.fill(0, 100_000, 300_000);
  expect(expected.equals(await viewDisk(lab, "disk"))).toBe(true);
});

test("an increment is listed with dirty and zero, and reads as the disk was", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.guestWrite("disk", { kind: "random", seed: "a", offset: 0, length: MiB });
  await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks: [{ diskId: "disk", toCheckpointId: "c" }] });
  await hypervisor.stopBackup("b");
  await hypervisor.guestWrite("disk", { kind: "random", seed: "b", offset: CLUSTER_BYTES, length: CLUSTER_BYTES });
  await hypervisor.guestWrite("disk", { kind: "zero", offset: 4 * CLUSTER_BYTES, length: CLUSTER_BYTES });
  const view = await viewDisk(lab, "disk");
  const disks = [{ diskId: "disk", fromCheckpointId: "c" }];
  const [backup] = await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks });
  if (backup?.dirtyBitmap === undefined) throw new Error("the backup is not incremental");
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 1, offset: 0, length: 2 * MiB });

  const { imageio, connect } = await startTestImageio();
  const changes = { sizeBytes: backup.virtualBytes, dirty: true, bitmap: backup.dirtyBitmap };
  await imageio.addTicket(ticketFor("t", backup.nbd, changes));
  const connection = await connect();

  expect(await extents(connection, "t", "dirty")).toEqual([
    { start: 0, length: CLUSTER_BYTES, dirty: false, zero: false },
    { start: CLUSTER_BYTES, length: CLUSTER_BYTES, dirty: true, zero: false },
    { start: 2 * CLUSTER_BYTES, length: 2 * CLUSTER_BYTES, dirty: false, zero: false },
    { start: 4 * CLUSTER_BYTES, length: CLUSTER_BYTES, dirty: true, zero: true },
    { start: 5 * CLUSTER_BYTES, length: 11 * CLUSTER_BYTES, dirty: false, zero: false },
    { start: MiB, length: 3 * MiB, dirty: false, zero: true },
  ]);
  expect((await extents(connection, "t", "zero")).map(({ length, zero }) => [length / CLUSTER_BYTES, zero])).toEqual([
    [4, false],
    [1, true],
    [11, false],
    [48, true],
  ]);
  expect(view.equals((await connection.request("GET /images/t HTTP/1.1")).body)).toBe(true);
});

test("dirty extents are 404 without a dirty ticket, and without a bitmap", async () => {
  const lab = await openTestHypervisor();
  await addDisk(lab, "disk");
  const source = await lab.hypervisor.openExport({ exportId: "e", diskId: "disk", writable: false });
  const { imageio, connect } = await startTestImageio();
  await imageio.addTicket(ticketFor("full", source, { sizeBytes: 4 * MiB }));
  await imageio.addTicket(ticketFor("dirty", source, { sizeBytes: 4 * MiB, dirty: true, bitmap: "nosuch" }));
  const connection = await connect();
  for (const [ticket, text] of [
    ["full", "Ticket does not support dirty extents\n"],
    ["dirty", "Operation not supported: NBD export 'e' does not support dirty extents\n"],
  ] as const) {
    const answer = await connection.request(`GET /images/${ticket}/extents?context=dirty HTTP/1.1`);
    expect([answer.status, answer.body.toString()]).toEqual([404, text]);
  }
  const other = await connection.request("GET /images/full/extents?context=other HTTP/1.1");
  expect(other.body.toString()).toBe("Unsupported value 'other' for 'context', expecting one of ['dirty', 'zero']\n");
});

test("extents of a snapshot's layer tell holes from zeros", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 1, offset: 0, length: 2 * MiB });
  await hypervisor.createSnapshot([{ diskId: "disk", newVolumeId: "top" }]);
  await hypervisor.guestWrite("disk", { kind: "zero", offset: 0, length: MiB });
  await hypervisor.stopVm("vm", { graceful: true });
  const shallow = { diskId: "disk", shallow: true, writable: false };
  const source = await hypervisor.openExport({ exportId: "e", ...shallow });
  const { imageio, connect } = await startTestImageio();
  await imageio.addTicket(ticketFor("t", source, { sizeBytes: 4 * MiB }));
  expect(await extents(await connect(), "t", "zero")).toEqual([
    { start: 0, length: MiB, zero: true, hole: false },
    { start: MiB, length: 3 * MiB, zero: true, hole: true },
  ]);
});

test("a file ticket serves the file's own bytes, as one extent of data, to one writer", async () => {
  const lab = await openTestHypervisor();
  const path = join(lab.directory, "file.qcow2");
  const bytes = randomBytes(100_000);
  await writeFile(path, bytes);
  const { imageio, connect } = await startTestImageio();
  await imageio.addTicket({
    ...ticketFor("t", { path, exportName: "" }, { sizeBytes: 100_000, ops: ["read", "write"], filename: "disk-é.raw" }),
    source: { kind: "file", path },
  });
  const connection = await connect();
  expect((await connection.request("OPTIONS /images/t HTTP/1.1")).body.toString()).toContain('"max_writers": 1');
  expect(await extents(connection, "t", "zero")).toEqual([{ start: 0, length: 100_000, zero: false, hole: false }]);
  const answer = await connection.request("GET /images/t HTTP/1.1");
  expect(bytes.equals(answer.body)).toBe(true);
  expect(answer.headers["content-disposition"]).toBe("attachment; filename=disk-_.raw");
  await connection.request("PATCH /images/t HTTP/1.1", '{"op": "zero", "offset": 10, "size": 99000, "flush": true}');
  const zeroed = await connection.request("GET /images/t HTTP/1.1\nRange: bytes=9-99010");
  expect(zeroed.body).toEqual(
    Buffer.concat([bytes.subarray(9, 10), Buffer.alloc(99_000), bytes.subarray(99_010, 99_011)]),
  );
});

test("when QEMU dies a kept connection answers 500 from then on", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  const disks = [{ diskId: "disk" }];
  const [backup] = await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks });
  if (backup === undefined) throw new Error("no backup");
  const { imageio, connect } = await startTestImageio();
  await imageio.addTicket(ticketFor("t", backup.nbd, { sizeBytes: backup.virtualBytes }));
  const connection = await connect();
  const get = "GET /images/t HTTP/1.1\nRange: bytes=0-3";
  expect((await connection.request(get)).status).toBe(206);
  await hypervisor.stopVm("vm", { graceful: false });
  const answer = await connection.request(get);
  expect([answer.status, answer.body.toString()]).toEqual([500, "Server failed to perform the request, check logs\n"]);
  expect((await connection.request(get)).status).toBe(500);
});

interface Extent {
  readonly start: number;
  readonly length: number;
  readonly zero: boolean;
}

async function extents(connection: WireConnection, ticket: string, context: string): Promise<readonly Extent[]> {
  const answer = await connection.request(`GET /images/${ticket}/extents?context=${context} HTTP/1.1`);
  expect(answer).toMatchObject({ status: 200, headers: { "content-type": "application/json" } });
  const list: readonly Extent[] = JSON.parse(answer.body.toString());
  return list;
}
