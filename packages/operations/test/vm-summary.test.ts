import { expect, test } from "vitest";

import type { Assessment, VirtualMachine } from "@ovault/contract";
import { chooseStrategy } from "@ovault/core";
import { ModelPlatform, ModelStrategy } from "@ovault/testkit";

import { summarizeVm } from "@ovault/operations/internal/summaries/vm-summary";

const { signal } = new AbortController();
const servedBy = { host: "kvm1", reason: "the only one that is up" };

/** Chooses a host for the first disk alone. */
class ServingStrategy extends ModelStrategy {
  override readonly name = "serving";

  override async assess(vm: VirtualMachine): Promise<Assessment> {
    const { disks } = await super.assess(vm);
    return { disks: disks.map((disk, index) => (index === 0 ? { ...disk, servedBy, keeps: "a snapshot" } : disk)) };
  }
}

test("the host that would serve a disk is shown for the strategy that was chosen, and for the others", async () => {
  const platform = new ModelPlatform();
  for (const id of ["a", "b"]) platform.disks.set(id, { bytes: new Uint8Array(1), extents: [] });
  const vm = platform.vm();
  const [serving, other] = [new ServingStrategy(platform), new ModelStrategy(platform)];
  const served = [servedBy, null];
  for (const { order, keepBase } of [
    { order: [serving, other], keepBase: true },
    { order: [other, serving], keepBase: true },
    { order: [serving, other], keepBase: false },
  ]) {
    const choice = await chooseStrategy(order, vm, { excludeDisks: [], keepBase, signal });
    if (choice === undefined) throw new Error("nothing was chosen");
    const { strategy, disks, rejected } = summarizeVm(vm, [], choice);
    const shown = { [strategy]: disks, [rejected[0]?.strategy ?? ""]: rejected[0]?.disks ?? [] };
    expect(shown["serving"]?.map((disk) => disk.servedBy)).toEqual(served);
    expect(shown["model"]?.map((disk) => disk.servedBy)).toEqual([null, null]);
  }
});
