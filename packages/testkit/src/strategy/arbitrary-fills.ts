import * as fc from "fast-check";

import type { VirtualMachine } from "@ovault/contract";

import type { GuestFill } from "./strategy-under-test.ts";

/** Some writes of the guest to the disks of a machine. */
export function arbitraryFills(vm: VirtualMachine): fc.Arbitrary<(GuestFill & { readonly diskId: string })[]> {
  const place = fc.record({
    disk: fc.constantFrom(...vm.disks),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 1, max: 300_000 }),
    seed: fc.nat(1000),
  });
  const fill = place.map(({ disk, at, length, seed }) => {
    const offset = Math.floor(at * (disk.logicalBytes - 1));
    return { diskId: disk.id, offset, length: Math.min(length, disk.logicalBytes - offset), seed };
  });
  return fc.array(fill, { maxLength: 4 });
}
