import { describeStrategy } from "@ovault/testkit";
import { afterAll, beforeAll } from "vitest";

import { Bench } from "./support/bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open({ engineVersion: "3.6" });
});
afterAll(() => bench.close());

describeStrategy("export domain", { runs: 2, open: async () => bench.underTest() });
