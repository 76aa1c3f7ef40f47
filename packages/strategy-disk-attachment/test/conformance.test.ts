import { describeStrategy } from "@ovault/testkit";
import { afterAll, beforeAll, describe } from "vitest";

import { Bench } from "./support/bench.ts";
import { canShowDevices } from "./support/needs.ts";

describe.skipIf(!(await canShowDevices()))("in a lab", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open();
  });
  afterAll(() => bench.close());

  const open = async () => bench.underTest(bench.strategyWith({ attachedDisks: 1 }));
  describeStrategy("disk attachment", { runs: 2, open });
});
