import { mkdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname } from "node:path";

import type { LedgerEntry, Leftover } from "@ovault/contract";
import type { Ledger, LedgerRun } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";

/** What servers write as `strategy` into the ledger. They have no manager. */
export const SERVER = "serve";
export const NO_MANAGER = "-";

/** Every directory of a server is called so: nothing else is ever removed, whatever the ledger says. */
const PREFIX = "ovault-serve-";

export function serverDirectoryName(runId: string): string {
  return PREFIX + runId;
}

/** A directory that is gone when its server ends, or with the next server or `ovault doctor --fix`. */
export interface ServerDirectory {
  readonly path: string;
  remove(): Promise<void>;
}

/** Makes a directory that only this user can enter, after its entry in the ledger. */
export async function makeServerDirectory(run: LedgerRun, path: string, title: string): Promise<ServerDirectory> {
  const handle = await run.open({ kind: "directory", title, detail: { path } });
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await mkdir(path, { mode: 0o700 });
  return {
    path,
    remove: async () => {
      await rm(path, { recursive: true, force: true });
      await handle.close();
    },
  };
}

/** What servers of this node have left that were killed. */
export async function findLeftServers(installation: Pick<Installation, "ledger">): Promise<readonly Leftover[]> {
  const ledger: Ledger = await installation.ledger();
  return (await ledger.abandoned()).filter(({ strategy }) => strategy === SERVER).map(leftoverOf);
}

function leftoverOf(entry: LedgerEntry): Leftover {
  const path = entry.detail["path"];
  const isOurs = typeof path === "string" && basename(path).startsWith(PREFIX) && entry.node === hostname();
  return {
    entry,
    gone: !isOurs,
    action: `remove ${String(path)}`,
    remove: async () => {
      if (isOurs) await rm(path, { recursive: true, force: true });
    },
  };
}
