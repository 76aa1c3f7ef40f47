import { subscribe, unsubscribe } from "node:diagnostics_channel";

import { CancelledError, type LedgerEntry, type RecoveryPoint, type VirtualMachine } from "@ovault/contract";
import type { Vm } from "@ovault/ovirt";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Bench, never, type Taken } from "./support/bench.ts";

let bench: Bench;
let taken: Taken;

/** What a person has set, in the API's words; the engine loses the first two on the way through an OVF. */
const SETTINGS = [
  "<cpu_shares>512</cpu_shares>",
  "<numa_tune_mode>strict</numa_tune_mode>",
  "<comment>ask Anna</comment>",
  "<high_availability><enabled>true</enabled><priority>50</priority></high_availability>",
  "<time_zone><name>Europe/Vienna</name></time_zone>",
  "<serial_number><policy>custom</policy><value>S-1</value></serial_number>",
  "<cpu><topology><cores>2</cores><sockets>1</sockets><threads>2</threads></topology></cpu>",
  "<os><boot><devices><device>network</device><device>hd</device></devices></boot></os>",
];

beforeAll(async () => {
  const dataCenter = "Elsewhere";
  const inventory = {
    clusters: [{ name: "Remote", dataCenter }],
    storageDomains: [{ name: "remote-storage", dataCenter }],
    networks: [{ name: "remote-network", dataCenter }],
  };
  bench = await Bench.open({ down: true, inventory });
  const { id } = await bench.vm();
  const settings = SETTINGS.map((xml) => ({ xml }));
  const change = { description: "payroll\nof the house", deleteProtected: true, settings };
  const { vms, infrastructure } = bench.manager.api;
  await vms.update(id, change, never);
  const [nic] = await vms.nics(id, never);
  const profile = (await infrastructure.vnicProfiles(never)).find(({ name }) => name === "lab-network");
  const card = { interface: "e1000", linked: false, vnicProfileId: profile?.id ?? "" };
  await vms.updateNic(id, nic?.id ?? "", card, never);
  await vms.addNic(id, { name: "nic2", vnicProfileId: "", plugged: false, linked: true, interface: "virtio" }, never);
  for (const tag of ["gold", "nightly"]) {
    await infrastructure.createTag(tag, never);
    await vms.addTag(id, tag, never);
  }
  taken = await bench.backup();
});
afterAll(async () => {
  await bench.close();
});

async function machine(name: string): Promise<Vm> {
  const { id } = await bench.vm(name);
  return await bench.manager.api.vms.get(id, { allContent: true }, never);
}

/** The point with one disk that was otherwise. */
function withDisk(attributes: VirtualMachine["attributes"]): Taken {
  const [first, ...others] = taken.point.disks;
  if (first === undefined) throw new Error("no disk");
  const disk = { ...first.disk, attributes: { ...first.disk.attributes, ...attributes } };
  return { ...taken, point: { ...taken.point, disks: [{ ...first, disk }, ...others] } };
}

/** Aborts when the first request of that kind is sent. */
async function cancelledAt(
  method: string,
  path: RegExp,
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const controller = new AbortController();
  const onRequest = (message: unknown): void => {
    const { request } = message as { request: { method: string; path: string } };
    if (request.method === method && path.test(request.path)) controller.abort(new CancelledError("enough"));
  };
  subscribe("undici:request:create", onRequest);
  try {
    await expect(work(controller.signal)).rejects.toMatchObject({ code: "E_CANCELLED" });
  } finally {
    unsubscribe("undici:request:create", onRequest);
  }
}

test("a restored machine has the settings of the original, also those that an OVF does not carry", async () => {
  expect(await bench.restore(taken, "copy")).toEqual([]);
  const [copy, original] = [await machine("copy"), await machine("web")];
  expect(copy.settings).toBe(original.settings);
  for (const xml of SETTINGS) expect(copy.settings).toContain(/<(\w+)>[^<]+<\/\1>/.exec(xml)?.[0]);
  expect(copy.description).toBe("payroll\nof the house");
  expect(copy.deleteProtected).toBe(true);
});

test("network cards are what they were, with new addresses", async () => {
  expect(await bench.restore(taken, "networked")).toEqual([]);
  const { vms } = bench.manager.api;
  const cards = async (name: string) => await vms.nics((await bench.vm(name)).id, never);
  const [copies, originals] = [await cards("networked"), await cards("web")];
  expect(originals.map(({ interface: type, linked, plugged }) => [type, linked, plugged])).toEqual([
    ["e1000", false, true],
    ["virtio", true, false],
  ]);
  const shown = originals.map(({ id: _id, mac: _mac, ...rest }) => rest);
  expect(copies.map(({ id: _id, mac: _mac, ...rest }) => rest)).toEqual(shown);
  expect(copies.map(({ mac }) => mac)).not.toEqual(originals.map(({ mac }) => mac));
});

test("a restore into another data center says at once all that has no place there, and goes there with it", async () => {
  const elsewhere = { cluster: "Remote" };
  await expect(bench.restore(taken, "remote", { wishes: elsewhere })).rejects.toMatchObject({
    message: expect.stringMatching(/^3 things .*web_Disk1.*; .*web_Disk2.*; no network for nic1/),
    hint: expect.stringMatching(/remote-storage.*`networks: { "FROM": "TO" }`.*remote-network\/remote-network/),
  });
  const networks = new Map([["lab-network", "remote-network"]]);
  const wishes = { ...elsewhere, storageDomain: "remote-storage", networks };
  expect(await bench.restore(taken, "remote", { wishes })).toEqual([]);
  const { cluster, disks } = await bench.vm("remote");
  expect([cluster?.name, ...disks.map(({ storageDomain }) => storageDomain?.name)]).toEqual([
    "Remote",
    "remote-storage",
    "remote-storage",
  ]);
});

test("disks have their own descriptions, and are wiped when they are deleted if they were", async () => {
  const kept = { wipeAfterDelete: true, propagateErrors: true, passDiscard: true };
  expect(await bench.restore(withDisk({ ...kept, description: "the books" }), "wiped")).toEqual([]);
  const { disks } = await bench.vm("wiped");
  expect(disks[0]?.attributes).toMatchObject(kept);
  expect(disks.map(({ attributes }) => attributes["wipeAfterDelete"])).toEqual([true, false]);
  expect(disks.map(({ attributes }) => attributes["description"])).toEqual(["the books", undefined]);
});

test("a restored machine has the tags of the point, those too that have gone from the engine", async () => {
  expect(taken.point.vm.tags).toEqual(["gold", "nightly"]);
  const without = { ...taken.point.vm, tags: ["gold", "weekly"] };
  expect(await bench.restore({ ...taken, point: { ...taken.point, vm: without } }, "tagged")).toEqual([]);
  expect((await bench.vm("tagged")).tags).toEqual(["gold", "weekly"]);
});

test.each([
  ["a TPM", "<tpm_enabled>true</tpm_enabled><bios><type>q35_sea_bios</type></bios>", /TPM is empty/],
  ["UEFI", "<bios><type>q35_ovmf</type></bios>", /UEFI variables are empty/],
])("a restore of a machine with %s says that what is in it is lost, as a dry run does", async (what, xml, warning) => {
  const name = what.replaceAll(" ", "-");
  const { id } = await bench.vm();
  await bench.manager.api.vms.update(id, { settings: [{ xml }] }, never);
  const { point } = await bench.backup();
  const request = {
    point,
    disks: point.disks,
    name,
    networks: new Map(),
    mac: "new",
    start: false,
  } as const;
  const { warnings } = await bench.strategy.planRestore(request, never);
  expect(warnings).toEqual([expect.stringMatching(warning)]);
  expect(await bench.restore({ ...taken, point }, name)).toEqual(warnings);
  const off = "<tpm_enabled>false</tpm_enabled><bios><type>i440fx_sea_bios</type></bios>";
  await bench.manager.api.vms.update(id, { settings: [{ xml: off }] }, never);
});

test("control characters, which an engine takes and XML cannot hold, are not the end of a point", async () => {
  const before = withDisk({ description: "b\u001b[0m" });
  const documents = before.point.documents.map((document) =>
    document.name === "vm.ovf"
      ? { ...document, text: document.text.replace(/<Description>payroll/, "<Description>&#x1B;[31mpay\u000broll") }
      : document,
  );
  expect(await bench.restore({ ...before, point: { ...before.point, documents } }, "coloured")).toEqual([]);
  expect((await machine("coloured")).description).toBe("[31mpayroll\nof the house");
  expect((await bench.vm("coloured")).disks[0]?.attributes["description"]).toBe("b[0m");
});

test("a point without disks becomes a machine without disks", async () => {
  expect(await bench.restore({ ...taken, point: { ...taken.point, disks: [] } }, "diskless")).toEqual([]);
  expect((await bench.vm("diskless")).disks).toEqual([]);
  expect((await machine("diskless")).settings).toBe((await machine("web")).settings);
});

test("what the engine does not take is named", async () => {
  const before = withDisk({ qcowVersion: "qcow2_v2" });
  const { documents } = before.point;
  const changed = documents.map((document) =>
    document.name === "vm-settings.xml"
      ? { ...document, text: document.text.replace("<cpu_shares>512", "<cpu_shares>many") }
      : document,
  );
  const point: RecoveryPoint = { ...before.point, documents: changed };
  const warnings = await bench.restore({ ...before, point }, "otherwise");
  expect(warnings).toEqual([
    expect.stringMatching(/^disk web_Disk1 is not as it was: QCOW2 version is "qcow2_v3" and was "qcow2_v2"/),
    expect.stringMatching(/^CPU shares of the new machine is "0" and was "many": .*refused/),
  ]);
});

test("a restore that fails takes its machine away again, whatever the protection of the original", async () => {
  await cancelledAt("POST", /diskattachments/, (signal) => bench.restore(taken, "failed", { signal }));
  expect(await bench.vmNames()).not.toContain("failed");
  expect(await bench.ledger.abandoned()).toEqual([]);
});

test("a protected machine that a dead run left is removed at once, and one that was handed over is not touched", async () => {
  await bench.restore(taken, "handed-over");
  const { id: vmId, disks } = await bench.vm("handed-over");
  const entry = (detail: LedgerEntry["detail"]): LedgerEntry => ({
    id: "1",
    runId: "r",
    node: "n",
    manager: "lab",
    strategy: "changed-block-tracking",
    kind: "vm",
    title: "restored virtual machine handed-over",
    detail: { name: "handed-over", tag: "ovault run 1", vmId, diskIds: disks.map(({ id }) => id), ...detail },
    recordedAt: new Date(0).toISOString(),
  });
  expect(await bench.strategy.leftovers([entry({ released: true })], never)).toMatchObject([{ gone: true }]);
  const leftovers = await bench.strategy.leftovers([entry({})], never);
  const startedAt = performance.now();
  for (const leftover of leftovers) await leftover.remove(never);
  expect(performance.now() - startedAt).toBeLessThan(30_000);
  expect(await bench.vmNames()).not.toContain("handed-over");
});
