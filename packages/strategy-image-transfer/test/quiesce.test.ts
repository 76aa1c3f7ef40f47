import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { Bench } from "./support/bench.ts";
import { leftBeside } from "./support/findings.ts";

let bench: Bench;
let agentless: Bench;

beforeAll(async () => {
  [bench, agentless] = await Promise.all([Bench.open(), Bench.open({ guestAgent: false })]);
});
afterAll(async () => {
  await Promise.all([bench.close(), agentless.close()]);
});
afterEach(async () => {
  await bench.lab.fault("freeze-failure", "off");
});

test("a guest whose agent answers is at rest, and the point says so", async () => {
  const taken = await bench.backup({ quiesce: "require", keepBase: false });
  expect(taken.point.consistency).toBe("filesystem");
  expect(taken.warnings).toEqual([]);
});

test("a freeze that fails is found in the engine's events: the point is as after a power cut, and warns", async () => {
  await bench.lab.fault("freeze-failure", "once");
  const taken = await bench.backup({ quiesce: "try", keepBase: false });
  expect(taken.point.consistency).toBe("crash");
  expect(taken.warnings).toEqual([expect.stringMatching(/were not frozen: Failed to freeze/)]);
});

test("where rest is required, a freeze that fails is an error that leaves nothing", async () => {
  await bench.lab.fault("freeze-failure", "once");
  await expect(bench.backup({ quiesce: "require" })).rejects.toMatchObject({ code: "E_QUIESCE" });
  expect(await leftBeside(bench)).toEqual([]);
});

test("never means that the outcome is not checked", async () => {
  const taken = await bench.backup({ quiesce: "never", keepBase: false });
  expect(taken.point.consistency).toBe("crash");
  expect(taken.warnings).toEqual([]);
});

test("without a guest agent a point is as after a power cut; where rest is required, nothing is begun", async () => {
  const taken = await agentless.backup({ quiesce: "try", keepBase: false });
  expect(taken.point.consistency).toBe("crash");
  expect(taken.warnings).toEqual([expect.stringMatching(/no guest agent/)]);
  const before = (await agentless.lab.guest("web")).events.length;
  await expect(agentless.backup({ quiesce: "require" })).rejects.toMatchObject({ code: "E_QUIESCE" });
  expect((await agentless.lab.guest("web")).events).toHaveLength(before);
  expect(await leftBeside(agentless)).toEqual([]);
});
