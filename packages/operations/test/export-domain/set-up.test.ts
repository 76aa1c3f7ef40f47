import { readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";

import { arrived, pending } from "@ovault/ovirt";
import { WEB_DISKS } from "@ovault/testkit-ovirt";
import { expect, test } from "vitest";

import { ExportBench } from "../support/export-bench.ts";

const signal = AbortSignal.timeout(600_000);
const NORTH = { clusters: [{ name: "north", dataCenter: "North" }] };
const CENTERS = { dataCenters: { Default: {}, North: { exportDomain: "exp-north" } } };

test.each(["3.6", "4.1", "4.3"] as const)(
  "%s: a data center gets its export domain over NFS, once, and loses it when nothing lies there",
  async (engineVersion) => {
    await using bench = await ExportBench.open({
      engineVersion,
      machines: [{ name: "web", down: true, disks: WEB_DISKS }],
    });
    expect((await bench.serve()).allowed).toEqual(["127.0.0.1"]);
    const [made] = await bench.setUp();
    expect(made).toMatchObject({
      dataCenter: "Default",
      exportDomain: "ovault-export",
      address: "127.0.0.1",
      path: bench.staging,
      mountOptions: `nolock,proto=tcp,mountproto=tcp,port=${bench.port},mountport=${bench.port}`,
      done: ["registered the export domain ovault-export", "attached it to data center Default"],
    });
    const { uid, gid, mode } = await stat(bench.staging);
    expect([uid, gid]).toEqual(process.getuid?.() === 0 ? [36, 36] : [process.getuid?.(), process.getgid?.()]);
    expect(mode & 0o777).toBe(0o755);
    expect(await namesIn(bench.staging)).toEqual([".ovault", made?.id].toSorted());
    expect((await bench.exportDomains()).get("Default")).toMatchObject({ id: made?.id, status: "active" });
    expect(await bench.setUp()).toEqual([{ ...made, done: [] }]);
    expect(await bench.list()).toMatchObject([{ exportDomain: "ovault-export", machines: 0, problem: null }]);

    const [web] = await bench.api.vms.list({}, signal);
    const [id = "", domain = ""] = [web?.id, made?.id];
    await bench.api.vms.export(id, { storageDomainId: domain, discardSnapshots: true, exclusive: false }, signal);
    await bench.api.wait(
      "the export",
      async () => {
        const { status } = await bench.api.vms.get(id, {}, signal);
        return status === "down" ? arrived(undefined) : pending(status);
      },
      { deadlineMs: 30_000, signal },
    );
    expect(await bench.list()).toMatchObject([{ machines: 1, problem: null }]);
    await expect(bench.remove()).rejects.toThrow("ovault-export is not empty: 1 machine and 2 disk images");
    expect((await bench.exportDomains()).get("Default")?.status).toBe("active");
    await bench.api.exportDomains.removeVm(domain, id, signal);

    const steps = ["into maintenance", "detached it from data center Default", "removed it from the engine"];
    expect(await bench.remove()).toMatchObject([{ done: steps.map((step) => expect.stringContaining(step)) }]);
    expect([[...(await bench.exportDomains())], await namesIn(bench.staging)]).toEqual([[], [".ovault"]]);
    expect(await bench.remove()).toMatchObject([{ done: [] }]);
    expect(await bench.list()).toMatchObject([{ problem: "data center Default has no export domain" }]);
  },
);

test.each(["3.6", "4.3"] as const)(
  "%s: each data center gets a folder and an export domain of its own",
  async (version) => {
    await using bench = await ExportBench.open({ engineVersion: version, inventory: NORTH });
    await bench.serve(CENTERS);
    const made = await bench.setUp(CENTERS);
    expect(made.map(({ dataCenter, exportDomain, folder }) => [dataCenter, exportDomain, folder])).toEqual([
      ["Default", "ovault-export-Default", join(bench.staging, "Default")],
      ["North", "exp-north", join(bench.staging, "North")],
    ]);
    for (const { folder, id } of made) expect(await readdir(folder)).toContain(id);
    const states = await bench.exportDomains();
    expect([...states].map(([center, { name, status }]) => [center, name, status]).toSorted()).toEqual([
      ["Default", "ovault-export-Default", "active"],
      ["North", "exp-north", "active"],
    ]);
    expect(await bench.setUp(CENTERS)).toMatchObject([{ done: [] }, { done: [] }]);
    expect(await bench.list(CENTERS)).toMatchObject([{ problem: null }, { problem: null }]);
    await bench.remove(CENTERS);
    expect([...(await bench.exportDomains())]).toEqual([]);
  },
);

test("one data center of several is set up alone", async () => {
  await using bench = await ExportBench.open({ inventory: NORTH });
  await bench.serve(CENTERS);
  expect(await bench.setUp(CENTERS, { dataCenters: ["North"] })).toMatchObject([{ dataCenter: "North" }]);
  expect([...(await bench.exportDomains()).keys()]).toEqual(["North"]);
});

test("whatever step it is killed after, it goes on with the next one: nothing is lost, nothing is doubled", async () => {
  await using bench = await ExportBench.open();
  await bench.serve();
  for (const diesAfter of [1, 2]) {
    await expect(bench.setUp({}, { diesAfter })).rejects.toThrow("killed");
    const [made] = await bench.setUp();
    const all = [...(await bench.exportDomains())];
    expect(all).toMatchObject([["Default", { id: made?.id, status: "active" }]]);
    for (let step = 1; step <= 3; step++) {
      await expect(bench.remove({}, 1)).rejects.toThrow("killed");
    }
    expect([...(await bench.exportDomains())]).toEqual([]);
    expect(await bench.remove()).toMatchObject([{ done: [] }]);
  }
});

test("an export domain in maintenance is activated", async () => {
  await using bench = await ExportBench.open();
  await bench.serve();
  const [made] = await bench.setUp();
  const center = (await bench.exportDomains()).get("Default")?.dataCenterIds[0] ?? "";
  await bench.api.storageDomains.deactivate(center, made?.id ?? "", signal);
  expect(await bench.list()).toMatchObject([
    { problem: "export domain ovault-export of data center Default is maintenance" },
  ]);
  expect(await bench.setUp()).toMatchObject([{ done: ["activated it"] }]);
});

test.each([
  ["4.3", false],
  ["4.5", true],
] as const)("%s: set-up says whether the engine has better ways: %s", async (engineVersion, warns) => {
  await using bench = await ExportBench.open({ engineVersion });
  await bench.serve();
  await bench.setUp();
  expect(bench.notes.some((line) => line.includes("changed-block-tracking"))).toBe(warns);
  const { blocks, bsize } = await statfs(bench.staging);
  const [{ availableBytes } = {}] = await bench.list();
  expect(availableBytes).toBeLessThan(blocks * bsize);
});

/** Without the file that hosts try direct writes with, and leave. */
async function namesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => name !== "__DIRECT_IO_TEST__").toSorted();
}
