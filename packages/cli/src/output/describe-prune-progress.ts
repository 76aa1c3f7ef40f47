import { plural } from "@ovault/contract";
import type { PruneProgress } from "@ovault/core";
import { formatBytes } from "@ovault/operations";

/** Progress of the current step. */
export function describePruneProgress({ step, ...done }: PruneProgress): string {
  switch (step) {
    case "reading block maps":
      return `${done.pages} of at most ${plural(done.knownPages, "page")} of block maps read`;
    case "copying":
      return `${formatBytes(done.copiedBytes)} copied`;
    case "proving":
      return `${formatBytes(done.provedBytes)} proved`;
    case "deleting":
      return `${formatBytes(done.freedBytes)} freed`;
    case "extending locks":
      return `${plural(done.extendedLocks, "lock")} extended`;
    case "listing packs":
    case "waiting a minute for listings that lag behind":
      return step;
  }
}
