/** Acquires a lease, prints its generation and holds it until it is killed. */
import { processIdentity } from "@ovault/contract";
import { acquireLease } from "@ovault/core/internal/leases/lease";
import { FilesystemStore } from "@ovault/destination-filesystem";

const [, , directory = ""] = process.argv;
const lease = await acquireLease(await FilesystemStore.open(directory), {
  resource: "vm-1",
  holder: { runId: "killed", ...processIdentity() },
  ttlMs: 60_000,
  ifBusy: "refuse",
  signal: new AbortController().signal,
});
process.stdout.write(`${lease.generation}\n`);
