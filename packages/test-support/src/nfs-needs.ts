import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const NAMESPACE = process.getuid?.() === 0 ? "--net" : "--user --map-root-user --net";
/** Scripts of `sh` that succeed where these are. QEMU says which drivers it lacks. */
const NEEDS = {
  "network namespaces": `unshare ${NAMESPACE} true`,
  "QEMU's nfs driver": "! qemu-img info nfs://127.0.0.1:1/none 2>&1 | grep -q 'Unknown protocol'",
};

/** What machines on NFS servers need and this machine lacks; says so. */
export async function missingForNfsDisks(): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const [name, script] of Object.entries(NEEDS)) {
    await run("sh", ["-c", script]).catch(() => missing.push(name));
  }
  if (missing.length > 0)
    process.stderr.write(`SKIPPED, no disks over NFS: this machine lacks ${missing.join(", ")}\n`);
  return missing;
}
