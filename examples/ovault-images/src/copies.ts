import { constants } from "node:fs";
import { copyFile, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";

import { type Leftover, type LedgerEntry, type LedgerHandle, ManagerError, type RunContext } from "@ovault/contract";

const KIND = "copy";

/** Copies of image files that a run reads instead of the files. */
export class Copies {
  readonly #directory: string;
  readonly #made: { readonly path: string; readonly handle: LedgerHandle }[] = [];

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The path of the copy: a reflink where the file system can. */
  async make(source: string, diskId: string, { runId, ledger, signal }: RunContext): Promise<string> {
    signal.throwIfAborted();
    const file = `${runId}-${diskId}.raw`;
    // Recorded first, so that the ledger knows the copy of a run that dies in the next line.
    const handle = await ledger.open({ kind: KIND, title: `copy of ${source}`, detail: { file } });
    const path = join(this.#directory, file);
    this.#made.push({ path, handle });
    try {
      await copyFile(source, path, constants.COPYFILE_FICLONE);
    } catch (cause) {
      throw new ManagerError(`cannot copy ${source} to ${this.#directory}`, {
        cause,
        hint: "Look at room and rights.",
      });
    }
    signal.throwIfAborted();
    return path;
  }

  /** Idempotent. */
  async remove(): Promise<void> {
    for (const { path, handle } of this.#made) {
      await rm(path, { force: true });
      await handle.close();
    }
    this.#made.length = 0;
  }
}

/** The leftover of the copy that an entry of the ledger names. */
export async function copyLeftover(directory: string | undefined, entry: LedgerEntry): Promise<Leftover> {
  const { file } = entry.detail;
  // The ledger is a file, too: only remove files inside of the directory, whatever it names.
  const path = directory !== undefined && typeof file === "string" ? join(directory, basename(file)) : undefined;
  const isThere = path !== undefined && (await stat(path).then(Boolean, () => false));
  if (!isThere) return { entry, action: "nothing left", gone: true, remove: async () => undefined };
  return { entry, action: `remove ${path}`, gone: false, remove: () => rm(path, { force: true }) };
}
