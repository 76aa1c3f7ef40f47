import type { Disk } from "@ovault/contract";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import type { ClonedDisk } from "../src/cloning/cloned-machine.ts";
import { assertDistinct, matchCopies } from "../src/reading/match-copies.ts";

const MIB = 1024 * 1024;

function disk(id: string, logicalBytes: number): Disk {
  const own = { id, alias: id, index: 0, logicalBytes, format: "raw", sparse: true } as const;
  return { ...own, bootable: false, interface: "virtio", attributes: {} };
}

/** Disks that often share names, sizes and interfaces. */
const someDisks = fc
  .array(
    fc.record({
      alias: fc.constantFrom("one", "two", "three"),
      logicalBytes: fc.constantFrom(MIB, 2 * MIB),
      bootable: fc.boolean(),
      interface: fc.constantFrom("virtio", "virtio_scsi"),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((all) =>
    all.map((one, index): Disk => ({ ...one, id: `d${index}`, index, format: "raw", sparse: true, attributes: {} })),
  );

function copyOf({ id, alias, logicalBytes, bootable, interface: connection }: Disk): ClonedDisk {
  return { id: `copy of ${id}`, alias, bytes: logicalBytes, bootable, interface: connection };
}

function outcome<T>(work: () => T): T | "refused" {
  try {
    return work();
  } catch {
    return "refused";
  }
}

test("a disk is never matched with the copy of another, in any order, and with other disks in the clone", () => {
  fc.assert(
    fc.property(someDisks, fc.nat(), fc.nat(), (disks, seed, skipped) => {
      const copies = disks
        .map(copyOf)
        .toSorted((a, b) => ((a.id.charCodeAt(9) * seed) % 7) - ((b.id.charCodeAt(9) * seed) % 7));
      const taken = disks.filter((_, index) => index !== skipped % (disks.length + 1));
      const matched = outcome(() => matchCopies(taken, copies));
      const areTold = outcome(() => assertDistinct(disks)) !== "refused";
      if (matched === "refused") return !areTold;
      return matched.every(({ id }, index) => id === `copy of ${taken[index]?.id}`);
    }),
  );
});

test("copies that the engine calls otherwise are told by size and place, where that is certain", () => {
  const [small, large] = [disk("small", MIB), disk("large", 2 * MIB)];
  const renamed = [large, small].map((one, index) => ({ ...copyOf(one), alias: `ovault_Disk${index}` }));
  expect(matchCopies([small, large], renamed).map(({ id }) => id)).toEqual(["copy of small", "copy of large"]);
  const twins = [small, { ...small, id: "twin", alias: "twin" }];
  const unsure = twins.map((one, index) => ({ ...copyOf(one), alias: `ovault_Disk${index}` }));
  expect(() => matchCopies(twins, unsure)).toThrow("the disks of the clone are not those of the snapshot");
  expect(() => matchCopies([large], [copyOf(small)])).toThrow("are not those");
  expect(() => assertDistinct([small, { ...small, id: "other" }])).toThrow("two disks are called small");
});
