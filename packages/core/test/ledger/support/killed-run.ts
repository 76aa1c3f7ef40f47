/** Opens, amends and closes entries without end; prints a line for each change once it is durable. */
import { FileLedger } from "@ovault/core";

const [, , directory = "", runId = ""] = process.argv;
const ledger = await FileLedger.open(directory);
const run = await ledger.forRun({ runId, manager: "engine", strategy: "changed-block-tracking" });
process.stdout.write("ready\n");

for (let i = 0; ; i++) {
  const title = `disk ${i}`;
  const handle = await run.open({ kind: "disk", title, detail: { tag: runId } });
  process.stdout.write(`opened ${i}\n`);
  await handle.amend({ diskId: `id-${i}` });
  if (i % 3 === 0) continue;
  process.stdout.write(`closing ${i}\n`);
  await handle.close();
}
