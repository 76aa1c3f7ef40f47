import { expect, test } from "vitest";

import { ManagerError, type Assessment, type VirtualMachine } from "@ovault/contract";
import { planBackup } from "@ovault/core";
import { MemoryStore, ModelPlatform, ModelStrategy } from "@ovault/testkit";

import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never } from "@ovault/test-support/repository/take-point";

const obstacle = new ManagerError("the machine is suspended");

class Obstructed extends ModelStrategy {
  override async assess(vm: VirtualMachine): Promise<Assessment> {
    return { ...(await super.assess(vm)), obstacle };
  }
}

async function plan({ excludeDisks = [] }: { readonly excludeDisks?: readonly string[] } = {}) {
  const platform = new ModelPlatform();
  for (const id of ["a", "b"]) platform.disks.set(id, { bytes: new Uint8Array(1024), extents: [] });
  const strategy = new Obstructed(platform);
  strategy.skipped.add("b");
  const repository = await smallRepository(new MemoryStore(), 512);
  return await planBackup({
    vm: platform.vm(),
    strategy,
    store: repository,
    excludeDisks,
    keepBase: true,
    signal: never,
  });
}

test("a plan ends in the error in which the run would end by the state of the machine", async () => {
  await expect(plan()).rejects.toBe(obstacle);
});

test("a wrong selection of disks comes first, as in a run", async () => {
  await expect(plan({ excludeDisks: ["a"] })).rejects.toMatchObject({ code: "E_USAGE" });
});

test("a machine without disks to read has no obstacle, as a run keeps its configuration alone", async () => {
  const platform = new ModelPlatform();
  const repository = await smallRepository(new MemoryStore(), 512);
  const options = { store: repository, excludeDisks: [], keepBase: true, signal: never };
  const planned = await planBackup({ vm: platform.vm(), strategy: new Obstructed(platform), ...options });
  expect(planned.disks).toEqual([]);
});
