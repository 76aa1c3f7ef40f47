import { randomUUID } from "node:crypto";
import { chown, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { processIdentity } from "@ovault/contract";
import { LocalFileSystem, NfsServer, NfsStatusError } from "@ovault/nfs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { altered, ExportBench } from "../support/export-bench.ts";

const VDSM = { uid: 36, gid: 36 };
/** Hosts try direct writes with the first, and leave it. */
const OF_HOSTS_AND_NODES = ["__DIRECT_IO_TEST__", ".ovault"];
const CENTERS = { dataCenters: { Default: {}, North: { exportDomain: "exp-north" } } };

let bench: ExportBench;
beforeAll(async () => {
  bench = await ExportBench.open({ inventory: { clusters: [{ name: "north", dataCenter: "North" }] } });
});
afterAll(() => bench[Symbol.asyncDispose]());

/** On the engine and in the folder, after each test. */
const left: string[] = [];
afterEach(async () => {
  const names = await readdir(bench.staging).catch(() => []);
  left.push(...(await bench.exportDomains()).keys(), ...names.filter((name) => !OF_HOSTS_AND_NODES.includes(name)));
  await bench.stopServing();
  await rm(bench.staging, { recursive: true, force: true });
});

const ONE = { dataCenters: ["Default"] };

test.each([
  [{}, [], /one folder, which serves one data center: not Default, North/],
  [{}, ["Defautl"], /no data center "Defautl", did you mean "Default"\?/],
  [{ dataCenters: { South: {} } }, [], /the engine has no data center "South"/],
  [CENTERS, ["South"], /ovault.yaml has no folder for data center "South"/],
  [{ exportDomain: "lab-storage" }, ["Default"], /a storage domain lab-storage already, of type data/],
  [{ staging: "/none/such" }, ["Default"], /cannot make the folder \/none\/such/],
  [{ stagin: "/x" }, ["Default"], /stagin/],
])("ovault.yaml with %j, for %j", async (options, dataCenters, message) => {
  await expect(bench.setUp(options, { dataCenters })).rejects.toThrow(message);
});

test("an ovault.yaml without a folder", async () => {
  await expect(bench.setUp({ staging: undefined }, ONE)).rejects.toMatchObject({
    code: "E_USAGE",
    hint: expect.stringContaining("staging:"),
  });
});

test("a data center without a host that is up", async () => {
  await bench.serve({}, ["Default"]);
  await bench.site.lab.changeHost("lab-host", "maintenance");
  await expect(bench.setUp({}, ONE)).rejects.toThrow("data center Default has no host that is up");
  await bench.site.lab.changeHost("lab-host", "up");
});

test("an export that nothing serves: the hint has the line for the kernel's server", async () => {
  const port = await unusedPort();
  await expect(bench.setUp({}, { ...ONE, port })).rejects.toMatchObject({
    code: "E_STAGING",
    message: expect.stringContaining("nothing answers"),
    hint: expect.stringMatching(/\/staging 127\.0\.0\.1\(rw,sync,insecure,all_squash,anonuid=\d+,anongid=\d+\)"/),
  });
});

test("another folder under the same path", async () => {
  await exported(await bench.folder("other"), {});
  await expect(bench.setUp({}, ONE)).rejects.toThrow(/is not the folder .*staging: what a client writes there is not/);
});

test("a path that the server does not have", async () => {
  await exported(await bench.folder("unnamed"), {}, "/elsewhere");
  await expect(bench.setUp({}, ONE)).rejects.toThrow(/does not let this machine mount .*staging: not found/);
});

test.each([
  ["of another owner", { create: giveAway }, "E_STAGING_OWNER", /hosts write there as 1234:1234/],
  ["read-only", { create: refuse("readOnly") }, "E_STAGING", /create .*: read only/],
  ["full", { write: refuse("noSpace") }, "E_STAGING", /write .*: no space/],
  ["that does not show hosts what is here", { read: refuse("access") }, "E_STAGING_OWNER", /hosts cannot use/],
])("an export %s", async (_, changes, code, message) => {
  await mkdir(bench.staging);
  await exported(bench.staging, changes);
  await expect(bench.setUp({}, ONE)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test("what the host refuses comes with the engine's reason", async () => {
  await mkdir(bench.staging);
  await exported(bench.staging, {}, bench.staging, { uid: 0, gid: 0 });
  await expect(bench.setUp({}, ONE)).rejects.toMatchObject({
    code: "E_EXPORT_DOMAIN",
    message: expect.stringMatching(/does not take 127\.0\.0\.1:.*Permission settings/),
    hint: expect.stringMatching(/mount -t nfs -o vers=3,nolock/),
  });
});

test("a folder of another node, until that node lets go of it", async () => {
  await bench.serve({}, ["Default"]);
  await bench.setUp({}, ONE);
  const other = { state: "other-state" };
  await expect(bench.setUp(other, ONE)).rejects.toThrow(/staging belongs to node /);
  await expect(bench.remove(other)).rejects.toThrow(/one folder/);
  await bench.remove({ dataCenters: { Default: { folder: bench.staging } } });
  expect(await bench.setUp(other, ONE)).toMatchObject([{ exportDomain: "ovault-export" }]);
  await expect(bench.remove({ dataCenters: { Default: { folder: bench.staging } } })).rejects.toThrow(
    /belongs to node/,
  );
  await bench.remove({ ...other, dataCenters: { Default: { folder: bench.staging } } });
});

const OWN_FOLDER = () => ({ dataCenters: { Default: { folder: bench.staging } } });

test("a folder of another installation: neither status, doctor, backups nor serve use it", async () => {
  await bench.serve({}, ["Default"]);
  await bench.setUp({}, ONE);
  const other = { ...OWN_FOLDER(), state: "other-state" };
  const message = expect.stringContaining(`${bench.staging} belongs to node `);
  expect(await bench.list(other)).toMatchObject([{ problem: message }]);
  await using installation = await bench.installation(other);
  const strategies = await installation.strategies(await installation.manager(undefined));
  const strategy = strategies.find(({ name }) => name === "export-domain");
  const diagnosis = await strategy?.diagnose?.(AbortSignal.timeout(60_000));
  expect(diagnosis).toContainEqual(expect.objectContaining({ status: "fail", detail: message }));
  await expect(bench.serve(other)).rejects.toMatchObject({ code: "E_STAGING", message });
  expect(await bench.list(OWN_FOLDER())).toMatchObject([{ problem: null }]);
  await bench.remove(OWN_FOLDER());
});

test("a folder that no installation has claimed, while one is at work there", async () => {
  await bench.serve({}, ["Default"]);
  await bench.setUp({}, ONE);
  const own = join(bench.staging, ".ovault");
  await rm(join(own, "node.json"));
  const holder = { process: processIdentity(), title: "the export of db01", bytes: 1 };
  await writeFile(join(own, "0.slot"), JSON.stringify(holder));
  const other = { ...OWN_FOLDER(), state: "other-state" };
  const refusal = { code: "E_STAGING", message: expect.stringMatching(/is in use: the export of db01/) };
  await expect(bench.setUp(other)).rejects.toMatchObject(refusal);
  await expect(bench.remove(other)).rejects.toMatchObject(refusal);
  expect(await readdir(own)).toEqual(["0.slot"]);
  await bench.setUp(OWN_FOLDER()).catch(() => undefined);
  expect((await bench.exportDomains()).get("Default")?.status).toBe("active");
  await rm(join(own, "0.slot"));
  await bench.setUp(OWN_FOLDER());
  await writeFile(join(own, "0.slot"), JSON.stringify(holder));
  await expect(bench.remove(OWN_FOLDER())).rejects.toMatchObject(refusal);
  await rm(join(own, "0.slot"));
  await bench.remove(OWN_FOLDER());
});

test("a folder with a domain that this engine does not know", async () => {
  await bench.serve({}, ["Default"]);
  const id = randomUUID();
  await mkdir(join(bench.staging, id));
  await expect(bench.setUp({}, ONE)).rejects.toThrow(`holds storage domain ${id}, which this engine does not know`);
  await rm(join(bench.staging, id), { recursive: true });
});

test("a data center with another export domain, and a folder or a name that is taken", async () => {
  const theirs = { exportDomain: "theirs", folder: await bench.folder("theirs") };
  const elsewhere = { dataCenters: { Default: theirs } };
  await using served = await bench.serve(elsewhere);
  await bench.setUp(elsewhere);
  await bench.serve({}, ["Default"]);
  // The engine takes one for each data center.
  await expect(bench.setUp({ exportDomain: "ours" }, ONE)).rejects.toMatchObject({
    code: "E_EXPORT_DOMAIN",
    message: "data center Default has the export domain theirs, and an engine takes one for each data center",
    hint: expect.stringContaining("`exportDomain: theirs`"),
  });
  await expect(bench.setUp({}, ONE)).rejects.toThrow(/theirs does not lie in .*staging, but at 127.0.0.1:.*theirs/);
  const north = (options: object) => bench.setUp({ dataCenters: { North: options } });
  await expect(north({ exportDomain: "theirs" })).rejects.toThrow(
    "theirs is attached to another data center than North",
  );
  await expect(north({ exportDomain: "new", folder: theirs.folder })).rejects.toThrow(/holds storage domain theirs/);
  const there = { port: served.port };
  await expect(bench.setUp(elsewhere, { ...there, address: "127.0.0.2" })).rejects.toThrow(
    "registered with address 127.0.0.1, not 127.0.0.2",
  );
  await expect(bench.setUp(elsewhere)).rejects.toThrow(`registered with port ${served.port}, not ${bench.port}`);
  // It knows the port by itself.
  expect(await bench.setUp(elsewhere, { port: undefined })).toMatchObject([{ done: [] }]);
  await bench.remove(elsewhere);
});

test("a removal while a run of this node is in the ledger, or another's is under way", async () => {
  await bench.serve({}, ["Default"]);
  await bench.setUp({}, ONE);
  const one = { dataCenters: { Default: { folder: bench.staging } } };
  await using installation = await bench.installation();
  const ledger = await installation.ledger();
  const run = await ledger.forRun({ runId: randomUUID(), manager: "lab", strategy: "export-domain" });
  const entry = await run.open({ kind: "clone", title: "a clone", detail: {} });
  await expect(bench.remove(one)).rejects.toThrow("a backup or restore through the export domain is under way");
  await run.end();
  await expect(bench.remove(one)).rejects.toMatchObject({ hint: "`ovault doctor --fix` removes it." });
  await ledger.resolve((await ledger.abandoned()).find(({ id }) => id === entry.entry.id) ?? entry.entry);
  await bench.remove(one);
});

test("all that was refused has registered nothing, and left no probe", () => {
  expect(left).toEqual([]);
});

async function unusedPort(): Promise<number> {
  const { port } = await bench.serve({}, ["Default"]);
  await bench.stopServing();
  return port;
}

/** Serves a folder under the path of the staging folder, with some calls replaced. */
async function exported(
  folder: string,
  changes: Partial<LocalFileSystem>,
  path = bench.staging,
  owner = VDSM,
): Promise<void> {
  const files = await LocalFileSystem.open(folder, { owner });
  const server = await NfsServer.listen({
    files: altered(files, changes),
    fileSystemId: 9n,
    path,
    allow: ["127.0.0.1"],
    port: 0,
  });
  const dispose = async (): Promise<void> => {
    await server.close();
    await files[Symbol.asyncDispose]();
  };
  bench.take({ port: server.port, folders: [folder], allowed: [], [Symbol.asyncDispose]: dispose });
}

async function giveAway(
  this: LocalFileSystem,
  ...[directory, name, options]: Parameters<LocalFileSystem["create"]>
): ReturnType<LocalFileSystem["create"]> {
  const id = await LocalFileSystem.prototype.create.call(this, directory, name, options);
  await chown(join(bench.staging, name), 1234, 1234);
  return id;
}

function refuse(status: "readOnly" | "noSpace" | "access"): () => Promise<never> {
  return () => Promise.reject(new NfsStatusError(status));
}
