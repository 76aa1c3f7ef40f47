import { appendFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import { LabRig } from "./support/lab-rig.ts";

/** Where the CLI has zod from; a real plugin has it as a dependency of its own. */
const zod = pathToFileURL(createRequire(import.meta.resolve("@ovault/cli")).resolve("zod")).href;

const gatekeeper = `
  import { z } from ${JSON.stringify(zod)};

  export default {
    kind: "hooks",
    name: "gatekeeper",
    apiVersion: 1,
    options: z.strictObject({ refuse: z.string() }),
    create: async ({ refuse }) => (hooks) => {
      hooks.beforeSeal.tap("gatekeeper", (point) => {
        if (point.vm.name === refuse) throw new Error("not on my watch");
      });
    },
  };
`;

let rig: LabRig;
beforeAll(async () => {
  rig = await LabRig.start({ web01: [["-f", "qcow2", "8M"]], db01: [["-f", "qcow2", "8M"]] });
  await writeFile(join(rig.labDirectory, "gatekeeper.mjs"), gatekeeper);
  const settings = "plugins: [./gatekeeper.mjs]\nhooks: { gatekeeper: { refuse: db01 } }\n";
  await appendFile(join(rig.labDirectory, "ovault.yaml"), settings);
});
afterAll(() => rig.stop());

test("a plugin named in ovault.yaml may veto a point: nothing is sealed, nothing is left", async () => {
  expect((await rig.ovault("backup", "web01")).exitCode).toBe(0);
  const { exitCode, stderr } = await rig.ovault("backup", "db01");
  expect(stderr).toContain("not on my watch");
  expect(exitCode).toBe(1);
  expect((await rig.points()).map(({ vm }) => vm.name)).toEqual(["web01"]);
  expect(await rig.lab.leftovers()).toMatchObject({ backups: [], transfers: [], snapshots: [], scratch: [] });
});
