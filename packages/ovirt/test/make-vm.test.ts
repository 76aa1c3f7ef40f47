import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineApi } from "../src/api/engine-api.ts";
import { createVm } from "../src/restore/vm/make-vm.ts";
import { startEngine, type StartedEngine } from "./support/start-engine.ts";

const signal = new AbortController().signal;
const TAG = "ovault run 11111111-1111-4111-8111-111111111111";
const OVF = `<ovf:Envelope xmlns:ovf="o"><Content><Name>web</Name><DeleteProtected>true</DeleteProtected></Content></ovf:Envelope>`;
let engine: StartedEngine;
let server: StartedEngine["server"];
let client: StartedEngine["client"];

beforeAll(async () => {
  engine = await startEngine();
  ({ server, client } = engine);
});
afterAll(() => engine.stop());

/** The engine makes the machine, or another client did, and its answer is lost. */
async function createWith(description: string): Promise<{ readonly id: string }> {
  server.calls.length = 0;
  const vm = `<vm id="v"><name>web</name><description>${description}</description></vm>`;
  server.reply = ({ method }) => (method === "POST" ? "cut" : { body: `<vms>${vm}</vms>` });
  const design = { ovf: OVF, cluster: { id: "c" } };
  return await createVm(new EngineApi(client), design, { name: "web", tag: TAG }, signal);
}

test("a machine whose making was not answered is known by the tag of its run", async () => {
  expect(await createWith(`of Anna (${TAG})`)).toMatchObject({ id: "v" });
});

test("a machine of the same name that another made meanwhile is not taken for it", async () => {
  await expect(createWith("of Anna")).rejects.toMatchObject({ code: "E_MANAGER_UNAVAILABLE" });
});

test("what is sent holds no delete protection, so that a failed restore can take it away", async () => {
  await createWith(TAG);
  const { body } = server.calls.find(({ method }) => method === "POST") ?? { body: "" };
  expect(body).toContain("&lt;DeleteProtected&gt;false&lt;/DeleteProtected&gt;");
  expect(body).toContain(TAG);
});
