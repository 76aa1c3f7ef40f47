import { expect, test } from "vitest";

import { chooseStrategy } from "@ovault/core";
import { considered } from "@ovault/operations";
import { ModelPlatform, ModelStrategy } from "@ovault/testkit";

import { choicesView } from "../src/commands/choices-view.ts";
import { layOut } from "../src/output/layout.ts";

test("of a machine with a choice the view shows the chosen strategy, why, and what the others say", async () => {
  const platform = new ModelPlatform();
  platform.disks.set("a", { bytes: new Uint8Array(1), extents: [] });
  const [able, unable] = [new ModelStrategy(platform), new ModelStrategy(platform)];
  unable.impossible.add("a");
  const vm = platform.vm();
  const { signal } = new AbortController();
  const choice = await chooseStrategy([unable, able], vm, { excludeDisks: [], keepBase: true, signal });
  const rejected = (choice?.rejected ?? []).map((other) => considered(other, vm));
  const servedBy = { host: "kvm1", reason: "the only one that is up" };
  const served = rejected.map((other) => ({ ...other, disks: other.disks.map((disk) => ({ ...disk, servedBy })) }));
  const told = { vm, strategy: "model", strategyReason: choice?.reason ?? "", rejected };
  expect(layOut(choicesView([told, { ...told, rejected: served }, { ...told, rejected: [] }]))).toBe(
    [
      "web01: model is best for its disks: 1 incremental (model: 1 impossible)",
      `  model: ${vm.disks[0]?.alias}: impossible: a test`,
      "",
      "web01: model is best for its disks: 1 incremental (model: 1 impossible)",
      `  model: ${vm.disks[0]?.alias}: impossible: a test; from host kvm1: the only one that is up`,
      "",
    ].join("\n"),
  );
});
