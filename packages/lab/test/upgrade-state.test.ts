import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { StateStore } from "../src/engine/state-store.ts";
import { setting } from "../src/engine/vm-settings.ts";
import { makeTemporaryDirectory } from "./support/temporary-directory.ts";

test("the state of a lab that knew one cluster and a few settings is taken up with all it said", async () => {
  const file = join(await makeTemporaryDirectory(), "engine.json");
  const vm = {
    id: "vm",
    name: "web",
    description: "mail",
    tags: ["nightly", "front"],
    memoryBytes: 2 ** 31,
    cores: 3,
    os: "rhel_8x64",
    virtioScsi: false,
    nics: [{ id: "nic", name: "nic1", mac: "56:6f:00:00:00:01" }],
  };
  const earlier = {
    format: 1,
    inventory: {
      dataCenter: named("Default"),
      cluster: named("cluster"),
      host: named("host"),
      storageDomain: named("storage"),
      networks: [named("ovirtmgmt")],
      vnicProfiles: [{ ...named("profile"), networkId: "id-of-ovirtmgmt" }],
    },
    vms: { vm },
    disks: { disk: { id: "disk", alias: "d" } },
  };
  await writeFile(file, JSON.stringify(earlier));
  const { state } = await StateStore.open(file);
  const web = state.vms["vm"];
  const settings = ["description", "memory", "cpu.topology.sockets", "os.type", "virtio_scsi.enabled"];
  expect(settings.map((path) => setting(web?.settings ?? {}, path))).toEqual([
    "mail",
    String(2 ** 31),
    "3",
    "rhel_8x64",
    "false",
  ]);
  expect(web).toMatchObject({
    clusterId: "id-of-cluster",
    nics: [{ interface: "virtio", linked: true, plugged: true }],
  });
  expect(web?.tagIds.map((id) => state.tags.find((tag) => tag.id === id)?.name)).toEqual(["nightly", "front"]);
  expect(state.disks["disk"]?.storageDomainId).toBe("id-of-storage");
  expect(state.inventory.clusters).toEqual([{ ...named("cluster"), dataCenterId: "id-of-Default" }]);
  expect(state.inventory.hosts).toEqual([{ ...named("host"), clusterId: "id-of-cluster" }]);
});

function named(name: string): { readonly id: string; readonly name: string } {
  return { id: `id-of-${name}`, name };
}
