import { expect, test } from "vitest";

import { writeDataDomainMetadata } from "../src/engine/data/data-domain-metadata.ts";
import { newLeaseIndex } from "../src/data-domain/lease-index.ts";
import {
  AREA_BYTES,
  isLockspaceSlot,
  lockspaceSlot,
  newLockspace,
  newResource,
} from "../src/data-domain/sanlock-records.ts";

const ID = "6f3b1a52-0c7e-4e0b-9a7d-2f8f1b0c9d11";

// Compared with what `sanlock direct init` of sanlock 3.8.5 writes.
test("lockspaces and resources have the checksums of sanlock", () => {
  const [lockspace, resource] = [newLockspace(ID), newResource(ID, "SDM")];
  expect([lockspace.length, lockspace.readUInt32LE(168), lockspace.readUInt32LE(1999 * 512 + 168)]).toEqual([
    AREA_BYTES,
    0x88_ce_fb_4b,
    0x88_ce_fb_4b,
  ]);
  expect([resource.length, resource.readUInt32LE(168), resource.readUInt32LE(512)]).toEqual([
    AREA_BYTES,
    0xb8_b0_86_2d,
    0x08_29_20_11,
  ]);
});

test("a slot is sound in its own lockspace alone, and only as it was written", () => {
  const slot = lockspaceSlot(ID, { hostId: 3, hostName: "lab-host", timestamp: 77 });
  expect(isLockspaceSlot(slot, ID)).toBe(true);
  expect(isLockspaceSlot(slot, ID.replace("6", "7"))).toBe(false);
  expect(isLockspaceSlot(slot.subarray(0, 100), ID)).toBe(false);
  slot[152] = 78;
  expect(isLockspaceSlot(slot, ID)).toBe(false);
});

test("an index of leases is 3960 free records behind an unused slot", () => {
  const index = newLeaseIndex(ID);
  expect(index.length).toBe(AREA_BYTES + 253_952);
  expect(index.toString("latin1", AREA_BYTES + 10, AREA_BYTES + 46)).toBe(ID);
  expect(index.toString("latin1", index.length - 15)).toBe("00000000000\0--\n");
});

test("metadata of format v5 has the checksum that vdsm computes", () => {
  const domain = { id: ID, name: "instant-restore", address: "10.0.0.5", path: "/exports/ir1" };
  const text = writeDataDomainMetadata({ ...domain, format: "v5" }, undefined);
  expect(text).toContain("_SHA_CKSUM=1923d56ad4dfa1426d26d0fc8585d6167734a57b\n");
  expect(writeDataDomainMetadata({ ...domain, format: "v4" }, "pool")).not.toContain("ALIGNMENT");
});
