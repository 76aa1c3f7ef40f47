import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort } from "@ovault/test-support/free-port";
import { afterEach, beforeEach, expect, test } from "vitest";

import { LocalFileSystem, NfsClientError, NfsMount, NfsServer } from "../src/index.ts";

const HOST = "127.0.0.1";
const VDSM = { uid: 36, gid: 36 };
const PATHS = ["/exports/dc01", "/exports/dc02"] as const;

let directories: readonly [string, string];
let stack: AsyncDisposableStack;
let server: NfsServer;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  directories = [await madeDirectory(), await madeDirectory()];
  const [first, second] = [await opened(directories[0]), await opened(directories[1])];
  server = stack.use(
    await NfsServer.listen({
      files: first,
      fileSystemId: 1n,
      path: PATHS[0],
      others: [{ files: second, fileSystemId: 2n, path: PATHS[1] }],
      allow: [HOST],
      host: HOST,
      port: 0,
    }),
  );
});
afterEach(() => stack.disposeAsync());

test("a client makes, reads and removes a file of either export, and sees nothing of the other", async () => {
  for (const [index, path] of PATHS.entries()) {
    await using mount = await mounted(path);
    await mount.write("probe", Buffer.from(path), 0o640);
    const local = join(directories[index] ?? "", "probe");
    expect([await readFile(local, "utf8"), (await stat(local)).mode & 0o777]).toEqual([path, 0o640]);
    expect((await mount.read("probe")).toString()).toBe(path);
  }
  await using first = await mounted(PATHS[0]);
  await first.remove("probe");
  await expect(first.read("probe")).rejects.toThrow("find probe: not found");
  await using second = await mounted(PATHS[1]);
  expect((await second.read("probe")).toString()).toBe(PATHS[1]);
});

test("what the server refuses is said with its reason", async () => {
  await expect(mounted("/exports")).rejects.toThrow(/let this machine mount \/exports: not found/);
  await using mount = await mounted(PATHS[0]);
  await mount.write("probe", Buffer.from("one"), 0o600);
  await expect(mount.write("probe", Buffer.from("two"), 0o600)).rejects.toThrow("create probe: exists");
  await expect(mount.remove("other")).rejects.toThrow("remove other: not found");
});

test("a machine where no NFS server answers, or something else does, is an error", async () => {
  await expect(mounted(PATHS[0], await freePort())).rejects.toThrow("nothing answers");
  const web = await listening((socket) => socket.resume().end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await expect(mounted(PATHS[0], web)).rejects.toThrow(NfsClientError);
  const silent = await listening((socket) => socket.resume());
  await expect(mounted(PATHS[0], silent, AbortSignal.timeout(200))).rejects.toThrow("timeout");
});

/** The port of a server that is none of NFS. */
async function listening(serve: (socket: Socket) => void): Promise<number> {
  const listener = stack.use(createServer(serve).listen(0, HOST));
  await once(listener, "listening");
  const address = listener.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function mounted(path: string, port = server.port, signal = AbortSignal.timeout(10_000)): Promise<NfsMount> {
  return NfsMount.open({ host: HOST, ports: { nfs: port, mount: port }, path, caller: VDSM, signal });
}

async function madeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-nfs-"));
  stack.defer(() => rm(directory, { recursive: true }));
  return directory;
}

async function opened(directory: string): Promise<LocalFileSystem> {
  return stack.use(await LocalFileSystem.open(directory, { owner: VDSM }));
}
