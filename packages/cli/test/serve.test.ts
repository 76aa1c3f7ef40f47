import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";

import { type DiskSource, type RecoveryPoint, systemClock } from "@ovault/contract";
import { ImagePoints, Repository, RepositorySecret } from "@ovault/core";
import { BufferPool } from "@ovault/core/internal/pipeline/buffer-pool";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";
import { SyntheticStore } from "@ovault/destination-synthetic";
import { NbdClient, type NbdRequestError, parseNbdUri } from "@ovault/nbd";
import { keysOf, type ModelDisk, sourceOf } from "@ovault/testkit";
import { run } from "@ovault/test-support/commands";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { mountReflinkDisk } from "@ovault/test-support/reflink-disk";
import { barePoint } from "@ovault/test-support/repository/bare-point";
import { takePoint, vmOf } from "@ovault/test-support/repository/take-point";
import { until } from "@ovault/test-support/until";

import { runOvaultIn } from "./run-ovault-in.ts";

const LAUNCHER = fileURLToPath(new URL("../bin/ovault.js", import.meta.url));
const { signal } = new AbortController();
const BLOCK_BYTES = 256 * 1024;
const PASSPHRASE = "correct horse battery staple";

/** Data and zeros in turn, and an end that is no whole block: of 512 bytes, as of a real disk. */
function diskOf(seed: number, blocks: number): ModelDisk {
  const length = blocks * BLOCK_BYTES + 512;
  const bytes = Uint8Array.from({ length }, (_, at) =>
    Math.floor(at / BLOCK_BYTES) % 3 === 1 ? 0 : 1 + ((Math.imul((at >> 4) + seed, 0x9e37_79b1) >>> 13) & 0x7f),
  );
  return { bytes, extents: [{ offset: 0, length, kind: "data" }] };
}
const disks = [diskOf(1, 40), diskOf(2, 7)] as const;

let directory: string;
let point: RecoveryPoint;
const children: ChildProcess[] = [];

async function makeSite(secret?: RepositorySecret): Promise<void> {
  const store = await openNas();
  const encryption = secret && { secret, label: "test" };
  await Repository.create(store, { blockBytes: BLOCK_BYTES, encryption, signal });
  const repository = await Repository.open(store, { secret, signal });
  point = await takePoint(repository, sources());
  await repository.close();
}

function sources(): readonly DiskSource[] {
  return disks.map((disk, index) => {
    const source = sourceOf(disk, { id: `disk-${index}` });
    return { ...source, disk: { ...source.disk, alias: `web01_Disk${index}`, index } };
  });
}

beforeEach(async () => {
  // Short: the path of a socket has room for 107 bytes.
  directory = await mkdtemp(join(tmpdir(), "ovs-"));
  await createFilesystemDestination(join(directory, "nas"));
  await mkdir(join(directory, "tmp"));
  for (const [at, { bytes }] of disks.entries()) await writeFile(join(directory, `${at}.raw`), bytes);
  await writeFile(
    join(directory, "ovault.yaml"),
    "destinations:\n  nas: { type: filesystem, directory: nas }\ndefaults: { destination: nas }\n",
  );
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
});

async function openNas(): Promise<FilesystemStore> {
  return await FilesystemStore.open(join(directory, "nas"));
}

const { ovault } = runOvaultIn(() => directory);

interface Served {
  readonly child: ChildProcess;
  readonly uris: readonly string[];
  readonly stderr: () => string;
  /** Resolves to the exit code. */
  end(name?: NodeJS.Signals): Promise<number | null>;
}

/** Waits for its line of JSON. */
async function serve(...args: readonly string[]): Promise<Served> {
  const child = spawn(process.execPath, [LAUNCHER, "serve", point.id, "--json", ...args], {
    cwd: directory,
    env: { ...process.env, TMPDIR: join(directory, "tmp"), OVAULT_PASSPHRASE: PASSPHRASE },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += String(text)));
  const ended = once(child, "close");
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([once(lines, "line"), ended.then(() => [""])]);
  if (line[0] === "") throw new Error(stderr);
  const result = JSON.parse(String(line[0])) as { readonly disks: readonly { alias: string; uri: string }[] };
  return {
    child,
    uris: result.disks.map(({ uri }) => uri),
    stderr: () => stderr,
    end: async (name = "SIGTERM") => {
      child.kill(name);
      return ((await ended) as [number | null])[0];
    },
  };
}

/** What the repository holds, without leases. */
async function listing(): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { key, bytes } of (await openNas()).list("", { signal })) found.push(`${key} ${bytes}`);
  return found.filter((line) => !line.startsWith("leases/"));
}

async function leftOf(): Promise<readonly string[]> {
  const leases = await keysOf(await openNas(), "leases/");
  const state = await readdir(join(directory, "ovault-state")).catch(() => []);
  return [
    ...(await readdir(join(directory, "tmp"))),
    ...new Set(leases.flatMap((key) => /\/(hold-[^/]+)\//.exec(key)?.[1] ?? [])),
    ...state.filter((name) => name.startsWith("ovault-serve-")),
  ];
}

/** Compares with a raw file, by QEMU. */
async function expectIdentical(image: string, raw: string, format: "raw" | "qcow2" = "raw"): Promise<void> {
  const compared = await run("qemu-img", ["compare", "-f", "raw", "-F", format, join(directory, raw), image]);
  expect(compared).toContain("identical");
}

test.each([["plain"], ["encrypted"]])("real clients read every disk of a point, %s, byte for byte", async (kind) => {
  if (kind === "encrypted") {
    const yaml =
      "destinations:\n  nas: { type: filesystem, directory: nas, encryption: { passphrase: { env: OVAULT_PASSPHRASE } } }\ndefaults: { destination: nas }\n";
    await writeFile(join(directory, "ovault.yaml"), yaml);
  }
  await makeSite(kind === "encrypted" ? RepositorySecret.passphrase(PASSPHRASE) : undefined);
  const served = await serve();
  expect(served.uris).toEqual([
    expect.stringMatching(/^nbd\+unix:\/\/\/0\?socket=/),
    expect.stringMatching(/^nbd\+unix:\/\/\/1\?socket=/),
  ]);
  for (const [at, uri] of served.uris.entries()) {
    await expectIdentical(uri, `${at}.raw`);
    const copy = join(directory, "copy.raw");
    await run("nbdcopy", ["--connections=4", uri, copy]);
    expect((await readFile(copy)).equals(disks[at]?.bytes ?? Buffer.alloc(0))).toBe(true);
    await rm(copy);
    await run("qemu-img", ["convert", "-m", "16", "-W", "-f", "raw", "-O", "qcow2", uri, `${copy}.qcow2`]);
    await expectIdentical(`${copy}.qcow2`, `${at}.raw`, "qcow2");
    await rm(`${copy}.qcow2`);
  }
  const info: unknown = JSON.parse(await run("nbdinfo", ["--json", served.uris[0] ?? ""]));
  expect(info).toMatchObject({
    exports: [
      { is_read_only: true, can_multi_conn: true, "export-size": disks[0].bytes.length, contexts: ["base:allocation"] },
    ],
  });
  const map = JSON.parse(await run("nbdinfo", ["--map", "--json", served.uris[0] ?? ""])) as {
    length: number;
    type: number;
  }[];
  expect(map.slice(0, 3).map(({ length, type }) => [length, type])).toEqual([
    [BLOCK_BYTES, 0],
    [BLOCK_BYTES, 3],
    [2 * BLOCK_BYTES, 0],
  ]);
  await expect(run("qemu-io", ["-f", "raw", "-c", "write 0 4096", served.uris[0] ?? ""])).rejects.toThrow(
    /read-only|Read-only|Permission denied/,
  );
  expect(await served.end()).toBe(0);
  expect(served.stderr()).toBe("");
  expect(await leftOf()).toEqual([]);
});

test("on TCP, one disk by its alias; an address that others reach is refused", async () => {
  await makeSite();
  const alias = point.disks[1]?.disk.alias ?? "";
  const served = await serve("--listen", "0", "--disk", alias);
  expect(served.uris).toEqual([expect.stringMatching(/^nbd:\/\/127\.0\.0\.1:\d+\/1$/)]);
  await expectIdentical(served.uris[0] ?? "", "1.raw");
  expect(await served.end("SIGINT")).toBe(0);
  expect(await leftOf()).toEqual([]);
  for (const address of ["0.0.0.0:10809", "[::]:10809", "nas.example.org:1", "70000", "x"]) {
    expect(await ovault("serve", point.id, "--listen", address)).toMatchObject({ exitCode: 2 });
  }
  expect(await ovault("serve", point.id, "--disk", "7")).toMatchObject({ exitCode: 2 });
});

describe("--writable", () => {
  test("what clients write, zero and trim is there for all clients, and gone with the server; the repository stays as it is", async () => {
    await makeSite();
    const before = await listing();
    const served = await serve("--writable", "--disk", "0");
    const [uri = ""] = served.uris;
    const io = ["write -P 7 1000 3000", "write -f -P 8 1M 64k", "write -z 2M 1M", "discard 4M 256k", "flush"];
    await run("qemu-io", ["-f", "raw", ...io.flatMap((command) => ["-c", command]), uri]);
    // The same to a file, by the same program.
    await copyFile(join(directory, "0.raw"), join(directory, "written.raw"));
    const zeroed = io.map((command) => command.replace("discard", "write -z"));
    await run("qemu-io", [
      "-f",
      "raw",
      ...zeroed.flatMap((command) => ["-c", command]),
      join(directory, "written.raw"),
    ]);
    await expectIdentical(uri, "written.raw");
    const info: unknown = JSON.parse(await run("nbdinfo", ["--json", uri]));
    expect(info).toMatchObject({
      exports: [{ is_read_only: false, can_flush: true, can_fua: true, can_trim: true, can_zero: true }],
    });
    await run("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", join(directory, "0.raw"), uri]);
    await expectIdentical(uri, "0.raw");
    const overlays = (await readdir(join(directory, "ovault-state"))).filter((name) =>
      name.startsWith("ovault-serve-"),
    );
    expect(overlays).toHaveLength(1);
    expect((await stat(join(directory, "ovault-state", overlays[0] ?? ""))).mode & 0o777).toBe(0o700);
    expect(await served.end()).toBe(0);
    expect(await leftOf()).toEqual([]);
    expect(await listing()).toEqual(before);
    const again = await serve("--disk", "0");
    await expectIdentical(again.uris[0] ?? "", "0.raw");
    await again.end();
  });
});

test("a server that is killed leaves what doctor names and the next server removes; prune ends its hold", async () => {
  await makeSite();
  const killed = await serve("--writable");
  await run("qemu-io", ["-f", "raw", "-c", "write 0 1M", killed.uris[0] ?? ""]);
  expect(await killed.end("SIGKILL")).toBe(null);
  expect(await leftOf()).toHaveLength(3);
  const { data } = await ovault("doctor");
  expect(data).toContainEqual(expect.objectContaining({ name: "servers of points: leftovers", status: "warn" }));
  expect(await leftOf()).toHaveLength(3);
  const next = await serve();
  // Its own hold and socket, and the hold of the one that was killed.
  await until("the files are removed", async () => (await leftOf()).length === 3);
  await ovault("forget", point.id);
  const pruned = await ovault("prune", "--grace", "0");
  expect(pruned).toMatchObject({
    exitCode: 0,
    data: { deletedPoints: 0, heldPoints: [{ point: point.id, pid: next.child.pid }] },
  });
  await expectIdentical(next.uris[0] ?? "", "0.raw");
  expect(await next.end()).toBe(0);
  expect(await ovault("prune", "--grace", "0")).toMatchObject({
    data: { deletedPoints: 1, heldPoints: [], keptPacks: 0 },
  });
  expect(await leftOf()).toEqual([]);
});

test("a server that is killed at any moment of its start leaves nothing that the next one and prune do not remove", async () => {
  await makeSite();
  const startedAt = Date.now();
  await (await serve("--writable")).end();
  const wholeMs = Date.now() - startedAt;
  for (let kill = 1; kill <= 8; kill += 1) {
    const starting = serve("--writable").catch(() => undefined);
    await delay((wholeMs * (kill + 2)) / 10);
    children.at(-1)?.kill("SIGKILL");
    await starting;
  }
  await (await serve("--writable")).end();
  await ovault("prune");
  expect(await leftOf()).toEqual([]);
  expect(await readdir(join(directory, "ovault-state", "ledger"))).toEqual([]);
  const served = await serve();
  await expectIdentical(served.uris[0] ?? "", "0.raw");
  await served.end();
});

test("doctor --fix removes what a killed server left", async () => {
  await makeSite();
  await (await serve("--writable")).end("SIGKILL");
  const { data } = await ovault("doctor", "--fix", "--yes");
  expect(data).toContainEqual(expect.objectContaining({ name: "servers of points: leftovers", status: "ok" }));
  expect((await leftOf()).filter((name) => name.startsWith("ovault-serve-"))).toEqual([]);
});

test("a damaged block is an I/O error for who reads it, told once, and nothing else is", async () => {
  await makeSite();
  const damaged = 5 * BLOCK_BYTES;
  await flip(disks[0].bytes.subarray(damaged, damaged + BLOCK_BYTES));
  const served = await serve("--disk", "0");
  const { address, exportName } = parseNbdUri(served.uris[0] ?? "");
  await using client = await NbdClient.connect({ address, exportName, signal });
  const buffer = Buffer.alloc(BLOCK_BYTES);
  const outcomes: string[] = [];
  for (let block = 0; block < 40; block += 1) {
    const expected = disks[0].bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    outcomes.push(
      await client.readInto(block * BLOCK_BYTES, buffer, signal).then(
        () => (buffer.equals(expected) ? "right" : "wrong"),
        (error: NbdRequestError) => error.errno,
      ),
    );
  }
  expect(outcomes).toEqual(Array.from({ length: 40 }, (_, block) => (block === 5 ? "EIO" : "right")));
  await expect(client.readInto(damaged + 100, Buffer.alloc(1), signal)).rejects.toMatchObject({ errno: "EIO" });
  await served.end();
  expect(served.stderr().match(/^warning: .*web01_Disk0.*$/gm)).toHaveLength(1);
});

/** One bit of the only place of a block. */
async function flip(block: Uint8Array): Promise<void> {
  const repository = await Repository.open(await openNas(), { signal });
  const [place] = repository.index.find(await repository.protection.chunkId(block));
  if (place === undefined) throw new Error("the block is stored");
  const path = join(directory, "nas", "packs", place.pack.name.slice(0, 2), place.pack.name);
  const pack = await readFile(path);
  const at = place.offset + 20;
  pack[at] = (pack[at] ?? 0) ^ 1;
  await rm(path);
  await writeFile(path, pack);
}

test("where nothing can be written, the server says that it holds nothing, and serves", async () => {
  await makeSite();
  const yaml =
    "destinations:\n  nas: { type: filesystem, directory: nas, readOnly: true }\ndefaults: { destination: nas }\n";
  await writeFile(join(directory, "ovault.yaml"), yaml);
  const served = await serve();
  await expectIdentical(served.uris[0] ?? "", "0.raw");
  expect(await served.end()).toBe(0);
  expect(served.stderr()).toMatch(new RegExp(`^warning: ${point.id} is not held`, "m"));
});

test("only the user can reach the socket; clients that talk nonsense, or leave at once, harm no other", async () => {
  await makeSite();
  const served = await serve();
  const { address } = parseNbdUri(served.uris[0] ?? "");
  const path = "path" in address ? address.path : "";
  expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
  const connected = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const socket = net.connect(path);
      socket.on("error", () => undefined);
      await Promise.race([once(socket, "data"), once(socket, "close")]);
      return socket;
    }),
  );
  // More than the server takes at once.
  expect(connected.filter(({ readableEnded, destroyed }) => readableEnded || destroyed).length).toBeGreaterThanOrEqual(
    8,
  );
  for (const socket of connected) {
    if (!socket.destroyed) socket.write(Buffer.alloc(4096, 0xff));
    socket.destroySoon();
  }
  await until("there is room for clients", async () => {
    try {
      await expectIdentical(served.uris[1] ?? "", "1.raw");
      return true;
    } catch {
      return false;
    }
  });
  expect(await served.end()).toBe(0);
});

test("a point on a server with SSH is served and held like any other", async () => {
  await makeSite();
  const server = await OpenSshServer.start();
  onTestFinished(() => server.stop());
  const { home, port, user } = server;
  const place = { type: "sftp", host: "127.0.0.1", port, user, directory: join(directory, "nas") };
  const login = { privateKey: join(home, "user"), knownHosts: join(home, "known_hosts") };
  const configuration = { destinations: { nas: { ...place, ...login } }, defaults: { destination: "nas" } };
  // JSON is YAML.
  await writeFile(join(directory, "ovault.yaml"), JSON.stringify(configuration));
  const served = await serve();
  expect(await leftOf()).toContainEqual(expect.stringMatching(/^hold-/));
  for (const [at, uri] of served.uris.entries()) await expectIdentical(uri, `${at}.raw`);
  await ovault("forget", point.id);
  expect(await ovault("prune", "--grace", "0")).toMatchObject({ data: { freedPacks: 0, heldPoints: [{}] } });
  await expectIdentical(served.uris[0] ?? "", "0.raw");
  expect(await served.end()).toBe(0);
  expect(await leftOf()).toEqual([]);
});

test("a point of whole images is served and held like any other", async (context) => {
  const place = await mountReflinkDisk();
  if (place === undefined) return context.skip("no XFS can be mounted here");
  onTestFinished(async () => {
    await run("chattr", ["-R", "-i", place.directory]);
    await place.dispose();
  });
  const yaml = `destinations:\n  images: { type: synthetic, directory: ${place.directory}/ovault }\ndefaults: { destination: images }\n`;
  await writeFile(join(directory, "ovault.yaml"), yaml);
  await ovault("destination", "init");
  const store = new ImagePoints(await SyntheticStore.open(join(place.directory, "ovault")));
  point = await takeImagePoint(store);
  const served = await serve("--writable");
  const images = async (): Promise<number> => {
    const found = [];
    for await (const { key } of store.points.images.list("", { signal })) found.push(key);
    return found.length;
  };
  for (const [at, uri] of served.uris.entries()) await expectIdentical(uri, `${at}.raw`);
  await run("qemu-io", ["-f", "raw", "-c", "write 0 1M", served.uris[0] ?? ""]);
  await ovault("forget", point.id);
  expect(await images()).toBe(2);
  await expectIdentical(served.uris[1] ?? "", "1.raw");
  expect(await served.end()).toBe(0);
  expect(await images()).toBe(0);
  await store.close();
});

async function takeImagePoint(store: ImagePoints): Promise<RecoveryPoint> {
  const options = { runId: "run", ifBusy: "refuse", clock: systemClock, signal } as const;
  const writer = await store.beginPoint(vmOf(), options);
  const buffers = new BufferPool(2, store.blockBytes);
  const taken = await writer.takeDisks(sources(), { base: undefined, anew: false, buffers, onProgress: () => {} });
  const { blockBytes } = store;
  const made = barePoint(vmOf(), { id: writer.id, takenAt: new Date(), blockBytes, disks: taken });
  await writer.seal(made);
  await writer.release();
  return made;
}
