import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { describe, expect, test } from "vitest";

import { connectLab, startLab } from "../src/index.ts";
import { addDisk, bytesOf, homeDomain, move, settled, startedVm } from "./support/data-disks.ts";
import { activeDataDomain } from "./support/data-site.ts";
import { EngineClient } from "./support/engine-client.ts";
import { MIB, STEP_MS, withImages } from "./support/lab-fixture.ts";
import { missingForNfsDisks } from "@ovault/test-support/nfs-needs";
import { withServer } from "./support/nfs-site.ts";

const run = promisify(execFile);
const missing = await missingForNfsDisks();
const script = join(import.meta.dirname, "support/lab-process.ts");

describe.skipIf(missing.length > 0)("a lab with disks on an NFS server", () => {
  test("a lab that is killed during a move leaves no process, and its next start takes domain and machine up", async () => {
    await withServer((server) =>
      withImages(async ({ directory, cow }) => {
        const path = join(directory, "lab");
        const child = spawn(process.execPath, [script, path, cow], { stdio: ["ignore", "pipe", "inherit"] });
        const [line]: readonly Buffer[] = await once(child.stdout, "data");
        const password = await readFile(join(path, "lab-password"), "utf8");
        const target = { url: String(line).trim(), user: "admin@internal", password, caFile: join(path, "ca.pem") };
        const client = await EngineClient.open(target);
        const lab = connectLab(path);
        const fixture = { client, lab, directory, storage: server.storage };
        const disk = await addDisk(fixture, await activeDataDomain(fixture), "cow");
        await startedVm(fixture, "ir", [disk]);
        await lab.write("ir", "0", { kind: "pattern", pattern: 4, offset: MIB, length: MIB });
        const home = await homeDomain(fixture);
        await lab.fault("move-hang", "on"); // its data has arrived
        expect((await move(fixture, disk, home)).status).toBe(200);
        const places = () => readdir(join(path, "storage", home, "images"));
        await expect.poll(places, { timeout: 10_000 }).toContain(disk);
        await lab.write("ir", "0", { kind: "pattern", pattern: 5, offset: 2 * MIB, length: MIB });
        const processes = await descendants(child.pid ?? 0);
        expect(processes.length).toBeGreaterThan(3);
        await client.close();
        child.kill("SIGKILL");
        await once(child, "exit");
        await expect.poll(() => processes.filter(isAlive), { timeout: 10_000 }).toEqual([]);

        const again = await startLab({ directory: path, delayMs: STEP_MS });
        try {
          expect(again.vms.map(({ name, status }) => [name, status])).toContainEqual(["ir", "up"]);
          expect(again.dataDomains.map(({ status }) => status)).toEqual(["active"]);
          expect(await bytesOf({ lab: again, directory }, disk)).toEqual([0, 4, 5, 0]);
          const retry = await EngineClient.open(again);
          await move({ client: retry }, disk, home);
          expect(await settled({ client: retry }, disk)).toBe(home);
          await retry.close();
          expect(await bytesOf({ lab: again, directory }, disk)).toEqual([0, 4, 5, 0]);
        } finally {
          await again.stop();
        }
      }),
    );
  });
});

async function descendants(pid: number): Promise<readonly number[]> {
  const { stdout } = await run("ps", ["-eo", "pid=,ppid="]);
  const all = stdout
    .trim()
    .split("\n")
    .map((row) => row.trim().split(/\s+/).map(Number));
  const below = (parent: number): readonly number[] =>
    all.flatMap(([id = 0, of]) => (of === parent ? [id, ...below(id)] : []));
  return below(pid);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
