import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { run } from "@ovault/test-support/commands";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ServedInNamespace } from "./support/served-in-namespace.ts";

const missing = await ServedInNamespace.missing();
if (missing.length > 0) process.stderr.write(`SKIPPED, no clients of NFS: this machine lacks ${missing.join(", ")}\n`);
const MEBIBYTE = 2 ** 20;

describe.skipIf(missing.length > 0)("programs that look for the ports", { timeout: 60_000 }, () => {
  let served: ServedInNamespace;
  let work: string;

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "ovault-nfs-work-"));
    served = await ServedInNamespace.serve();
  });
  afterAll(async () => {
    await served?.[Symbol.asyncDispose]();
    await rm(work, { recursive: true, force: true });
  });

  test("the portmapper says where they are", async () => {
    const script = fileURLToPath(new URL("support/find-ports.ts", import.meta.url));
    expect(JSON.parse(await served.network.run(process.execPath, [script]))).toEqual({ nfs: 2049, mount: 2049 });
  });

  test("libnfs lists names and reads data", async () => {
    await writeFile(join(served.directory, "some file"), randomBytes(3 * MEBIBYTE));
    expect(await served.network.run("nfs-ls", ["nfs://127.0.0.1/exports/web"])).toContain("some file");
    await served.network.run("nfs-cp", ["nfs://127.0.0.1/exports/web/some file", join(work, "copy")]);
    const bytes = await readFile(join(served.directory, "some file"));
    expect((await readFile(join(work, "copy"))).equals(bytes)).toBe(true);
  });

  test("libnfs writes data", async () => {
    const bytes = randomBytes(5 * MEBIBYTE + 77);
    await writeFile(join(work, "new"), bytes);
    await served.network.run("nfs-cp", [join(work, "new"), "nfs://127.0.0.1/exports/web/new"]);
    expect((await readFile(join(served.directory, "new"))).equals(bytes)).toBe(true);
  });

  test.for(["raw", "qcow2"])("QEMU converts to it and from it, byte for byte: %s", async (format) => {
    const image = join(work, "image.raw");
    const bytes = Buffer.concat([
      randomBytes(6 * MEBIBYTE),
      Buffer.alloc(8 * MEBIBYTE),
      randomBytes(MEBIBYTE),
      Buffer.alloc(MEBIBYTE),
    ]);
    await writeFile(image, bytes);
    const there = `nfs://127.0.0.1/exports/web/disk.${format}`;
    await served.network.run("qemu-img", ["convert", "-f", "raw", "-O", format, image, there]);
    // Raw files hold nothing to check.
    const checking = format === "raw" ? Promise.resolve("No errors") : served.network.run("qemu-img", ["check", there]);
    expect(await checking).toContain("No errors");
    expect(await served.network.run("qemu-img", ["compare", "-f", "raw", "-F", format, image, there])).toContain(
      "identical",
    );
    await served.network.run("qemu-img", ["convert", "-f", format, "-O", "raw", there, join(work, "back.raw")]);
    expect((await readFile(join(work, "back.raw"))).equals(bytes)).toBe(true);
    // And without the server.
    const local = join(served.directory, `disk.${format}`);
    expect(await run("qemu-img", ["compare", "-f", "raw", "-F", format, image, local])).toContain("identical");
    expect((await stat(local)).blocks * 512).toBeLessThan(9 * MEBIBYTE);
  });

  test("QEMU writes into a disk, grows it and finds it whole after the server was killed", async () => {
    const there = "nfs://127.0.0.1/exports/web/grown.qcow2";
    await served.network.run("qemu-img", ["create", "-q", "-f", "qcow2", there, "16M"]);
    await served.network.run("qemu-io", ["-f", "qcow2", "-c", "write -P 7 1M 2M", "-c", "flush", there]);
    await served.restart();
    await served.network.run("qemu-img", ["resize", "-q", there, "32M"]);
    await served.network.run("qemu-io", [
      "-f",
      "qcow2",
      "-c",
      "write -P 9 24M 64k",
      "-c",
      "read -P 7 1M 2M",
      "-c",
      "flush",
      there,
    ]);
    expect(await served.network.run("qemu-img", ["check", there])).toContain("No errors");
    expect(await served.network.run("qemu-io", ["-f", "qcow2", "-c", "read -P 9 24M 64k", there])).not.toContain(
      "failed",
    );
    expect(await readdir(served.directory)).toContain("grown.qcow2");
  });
});
