/** Freezes a guest as a run does before its snapshot, and never comes to the snapshot. Everything comes as JSON in argv[2]. */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

import { consistencyOf, consistencySchema } from "@ovault/consistency";
import { createRunHooks } from "@ovault/contract";
import { FileLedger } from "@ovault/core";
import { OvirtManager } from "@ovault/ovirt";

import { hostIn, never } from "./bench.ts";

export interface FreezeAndStay {
  readonly url: string;
  readonly user: string;
  readonly passwordFile: string;
  readonly caFile: string;
  readonly ledgerDirectory: string;
  readonly vm: string;
}

const options: FreezeAndStay = JSON.parse(process.argv[2] ?? "");
const manager = new OvirtManager("lab", {
  url: options.url,
  user: options.user,
  password: (await readFile(options.passwordFile, "utf8")).trim(),
  trust: { ca: [await readFile(options.caFile, "utf8")] },
});
const vm = (await manager.inventory(never)).find(({ name }) => name === options.vm);
if (vm === undefined) throw new Error(`no VM ${options.vm}`);
const ledger = await FileLedger.open(options.ledgerDirectory);
const hooks = createRunHooks();
consistencyOf(consistencySchema.parse({ freeze: "explicit" }), { ...hostIn("/"), manager, ledger }).tap(hooks);
await hooks.beforeSnapshot.promise(vm, never);
process.stdout.write("frozen\n");
await delay(2 ** 30);
