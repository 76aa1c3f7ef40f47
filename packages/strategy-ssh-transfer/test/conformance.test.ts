import { describeStrategy } from "@ovault/testkit";
import { afterAll, beforeAll } from "vitest";

import { Bench } from "./support/bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(() => bench.close());

describeStrategy("SSH transfer", { runs: 2, open: async () => bench.underTest() });
