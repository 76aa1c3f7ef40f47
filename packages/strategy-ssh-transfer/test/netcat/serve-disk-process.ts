/** Serves the disk that standard input describes, prints a line, and waits to be killed. */
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { serveDisk } from "./serve-disk.ts";

await using served = await serveDisk(JSON.parse(await text(process.stdin)));
process.stdout.write(`${JSON.stringify(served.warnings)}\n`);
await sleep(120_000);
