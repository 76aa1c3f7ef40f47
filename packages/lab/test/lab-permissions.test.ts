import { once } from "node:events";
import { spawn } from "node:child_process";
import { chmod, readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { backupXml } from "./support/backup-steps.ts";
import { EngineClient } from "./support/engine-client.ts";
import { withImages } from "./support/lab-fixture.ts";
import { connectLab } from "../src/index.ts";

/** The CA's certificate is for every user. */
const PUBLIC = new Set(["ca.pem"]);

test("only its owner can read or enter anything of a lab, whatever the umask and the modes of the images", async () => {
  await withImages(async ({ directory, cow, raw }) => {
    await Promise.all([cow, raw].map((image) => chmod(image, 0o644)));
    const path = join(directory, "lab");
    const script = join(import.meta.dirname, "support", "lab-process.ts");
    const node = spawn("sh", ["-c", 'umask 0; exec "$@"', "sh", process.execPath, script, path, cow, raw], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(node.stdout, "data");
    const control = connectLab(path);
    try {
      const status = await control.status();
      const password = await readFile(join(path, "lab-password"), "utf8");
      const client = await EngineClient.open({ ...status, password });
      const [web] = status.vms;
      const [vm, disk] = [`/vms/${web?.id}`, web?.disks[0]?.id ?? ""];
      await client.post(`${vm}/snapshots`, "<snapshot><description>s</description></snapshot>");
      await client.untilText(`/disks/${disk}`, "status", "ok");
      const backup = await client.post(`${vm}/backups`, backupXml([disk]));
      await client.untilText(`${vm}/backups/${backup.xml.attribute("id")}`, "phase", "ready");
      await control.view(disk, join(path, "view.raw"));
      const open = await readable(path);
      expect(open.seen).toBeGreaterThan(15);
      expect(open.names).toEqual([]);
      await client.close();
    } finally {
      await control.stop();
      await once(node, "exit");
    }
  });
});

/** Files and directories that others have any right on; sockets and links have none of their own. */
async function readable(root: string): Promise<{ readonly names: readonly string[]; readonly seen: number }> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const plain = entries
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .filter(({ name }) => !PUBLIC.has(name));
  const paths = [root, ...plain.map(({ parentPath, name }) => join(parentPath, name))];
  const open: string[] = [];
  for (const path of paths) {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) open.push(`${path} ${(mode & 0o777).toString(8)}`);
  }
  return { names: open, seen: paths.length };
}
