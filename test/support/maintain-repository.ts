/** Repairs or prunes a repository of tiny blocks, or copies all its points to another one; to be killed meanwhile. */
import { copyPoints, prune, repairRepository } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";

import { reopen } from "@ovault/test-support/repository/small-repository";

const [what = "", directory = "", target = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const from = await reopen(await FilesystemStore.open(directory));
if (what === "repair") await repairRepository(from, { readData: true, signal });
else if (what === "prune") await prune(from, { graceMs: 0, repack: { minDeadShare: 0.01, budgetBytes: 1e9 }, signal });
else {
  const to = await reopen(await FilesystemStore.open(target));
  const { points } = await from.points.list(signal);
  const failed = (await copyPoints({ from, to, points, signal })).find(({ error }) => error !== undefined);
  if (failed !== undefined) throw failed.error;
}
