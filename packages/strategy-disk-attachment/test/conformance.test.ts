import { afterAll, beforeAll, describe } from "vitest";

import { describeStrategy, type GuestFill } from "@ovault/testkit";

import { Bench } from "./support/bench.ts";
import { canShowDevices } from "./support/needs.ts";

let bench: Bench;

/** Zeros are written as zeros, everything else as noise. */
async function write(diskId: string, { offset, length, seed }: GuestFill): Promise<void> {
  const range = { offset, length };
  await bench.lab.write(
    "web",
    diskId,
    seed === 0 ? { ...range, kind: "zero" } : { ...range, kind: "random", seed: `${seed}` },
  );
}

describe.skipIf(!(await canShowDevices()))("in a lab", () => {
  beforeAll(async () => {
    bench = await Bench.open();
  });
  afterAll(() => bench.close());

  describeStrategy("disk attachment", {
    runs: 2,
    open: async () => ({
      strategy: bench.strategyWith({ attachedDisks: 1 }),
      vm: () => bench.vm(),
      view: (diskId) => bench.view(diskId),
      write,
      leftovers: () => bench.left(),
      dispose: async () => {},
    }),
  });
});
