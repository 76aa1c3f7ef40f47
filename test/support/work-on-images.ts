/** Backs up a machine of blocks to whole images, forgets a point of them, or copies points there; to be killed meanwhile. */
import { join } from "node:path";

import { copyPoints, FileLedger, ImagePoints, readOnly } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";
import { SyntheticStore } from "@ovault/destination-synthetic";

import { BLOCK_BYTES } from "@ovault/test-support/repository/block-disk";
import { reopen } from "@ovault/test-support/repository/small-repository";
import { type BlockRun, takeBlockPoint } from "@ovault/test-support/repository/take-block-point";

const [what = "", directory = "", argument = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const images = new ImagePoints(await SyntheticStore.open(directory), { blockBytes: BLOCK_BYTES });
if (what === "backup") {
  const ledger = await FileLedger.open(join(directory, "ledger"));
  await takeBlockPoint(images, JSON.parse(argument) as BlockRun, { ledger, signal, ifBusy: "wait" });
} else if (what === "forget") {
  await images.points.forget(await images.points.find(argument, signal), signal);
} else {
  // Others copy from the same place at this moment.
  const from = await reopen(readOnly(await FilesystemStore.open(argument), "readOnly"));
  const { points } = await from.points.list(signal);
  const results = await copyPoints({ from, to: images, points, ifBusy: "wait", signal });
  const failed = results.find(({ error }) => error !== undefined);
  if (failed !== undefined) throw failed.error;
}
await images.close();
