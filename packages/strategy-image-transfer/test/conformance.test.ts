import { afterAll, beforeAll } from "vitest";

import { describeStrategy, type GuestFill } from "@ovault/testkit";

import { Bench } from "./support/bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(() => bench.close());

/** Zeros are written as zeros, everything else as noise. */
async function write(diskId: string, { offset, length, seed }: GuestFill): Promise<void> {
  const range = { offset, length };
  await bench.lab.write(
    "web",
    diskId,
    seed === 0 ? { ...range, kind: "zero" } : { ...range, kind: "random", seed: `${seed}` },
  );
}

async function leftovers(): Promise<string[]> {
  const found: Readonly<Record<string, readonly string[]>> = { ...(await bench.lab.leftovers()) };
  return Object.entries(found).flatMap(([kind, names]) => names.map((name) => `${kind}: ${name}`));
}

describeStrategy("image transfer", {
  runs: 2,
  open: async () => ({
    strategy: bench.strategy,
    vm: () => bench.vm(),
    view: (diskId) => bench.view(diskId),
    write,
    leftovers,
    dispose: async () => {},
  }),
});
