import { listVirtualMachines } from "@ovault/operations";
import { WEB_DISKS, type LabSiteOptions } from "@ovault/testkit-ovirt";
import { expect, test } from "vitest";

import { assessMachines } from "../../src/select/assess-machines.ts";
import { chooseForMachine } from "../../src/select/choose-strategy.ts";
import { ExportBench } from "../support/export-bench.ts";

const signal = AbortSignal.timeout(600_000);
const machines: LabSiteOptions["machines"] = [{ name: "web", down: true, disks: WEB_DISKS }];

test("3.6: where the export domain is the problem, its reason and its hint are the answer", async () => {
  await using bench = await ExportBench.open({ engineVersion: "3.6", machines });
  await using installation = await bench.installation();
  const [web] = await listVirtualMachines(installation, {}, signal);
  expect(web?.strategy).toBe("export-domain");
  const reason = "data center Default has no export domain";
  expect(web?.disks).toMatchObject(WEB_DISKS.map(() => ({ verdict: "impossible", reason })));
  const [assessed] = await assessMachines(installation, await installation.manager(undefined), signal);
  const remedy = `\`ovault export-domain setup\` makes one for ${bench.staging}.`;
  expect(assessed?.choice.disks[0]?.remedy).toBe(remedy);
  const strategies = await installation.strategies(await installation.manager(undefined));
  for (const wanted of ["ssh-transfer", "disk-attachment"]) {
    const found = await strategies.find(({ name }) => name === wanted)?.diagnose?.(signal);
    expect(found).toMatchObject([{ status: "skip", detail: expect.stringContaining("oVirt 4.0") }]);
  }
});

test("4.5: an engine that needs no export domain is told what to use", async () => {
  await using bench = await ExportBench.open({ engineVersion: "4.5", machines });
  await using installation = await bench.installation({ staging: undefined });
  const manager = await installation.manager(undefined);
  const [vm] = await manager.inventory(signal);
  if (vm === undefined) throw new Error("no machine");
  const wish = { wanted: "export-domain", manager, vm, excludeDisks: [], keepBase: false, signal };
  const { disks } = await chooseForMachine(await installation.strategies(manager), wish);
  expect(disks[0]).toMatchObject({
    verdict: "impossible",
    reason: expect.stringContaining("this engine has better ways than an export domain"),
    remedy: expect.stringContaining("changed-block-tracking"),
  });
});
