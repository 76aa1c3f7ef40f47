import { mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { type LedgerEntry, LedgerError, processIdentity, processState, syncDirectory } from "@ovault/contract";
import { appendToExisting, asLedgerError, readLedgerFile, removeLedgerFile } from "./ledger-file.ts";
import { FileLedgerRun } from "./file-ledger-run.ts";
import type { Ledger, LedgerReport, LedgerRun, LedgerRunOptions } from "./ledger.ts";
import type { LedgerFile, RunRecord } from "./records.ts";

const SUFFIX = ".jsonl";

/**
 * A ledger in a directory that belongs to one node: one file of JSON lines per run, named by its id, deleted when the
 * run ends clean.
 */
export class FileLedger implements Ledger {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes the directory (0700) if it is missing. */
  static async open(directory: string): Promise<FileLedger> {
    return await asLedgerError(directory, async () => {
      const firstMade = await mkdir(directory, { recursive: true, mode: 0o700 });
      if (firstMade !== undefined) await syncDirectory(dirname(firstMade));
      const ledger = new FileLedger(directory);
      await ledger.#sweep();
      return ledger;
    });
  }

  async forRun(options: LedgerRunOptions): Promise<LedgerRun> {
    return await FileLedgerRun.create(this.#pathOf(options.runId), {
      ...options,
      abandoned: () => this.abandoned(),
    });
  }

  async abandoned(): Promise<readonly LedgerEntry[]> {
    return (await this.report()).abandoned;
  }

  async report(): Promise<LedgerReport> {
    const report = {
      abandoned: new Array<LedgerEntry>(),
      active: new Array<LedgerEntry>(),
      elsewhere: new Array<LedgerEntry>(),
      damaged: new Array<LedgerReport["damaged"][number]>(),
    };
    for (const path of await this.#files()) {
      const file = await readLedgerFile(path);
      if (file === undefined) continue;
      report[await standing(file)].push(...file.open);
      if (file.damagedLines.length > 0) report.damaged.push({ file: path, lines: file.damagedLines });
    }
    return report;
  }

  async resolve({ id, runId }: LedgerEntry): Promise<void> {
    const path = this.#pathOf(runId);
    await appendToExisting(path, { type: "struck", id });
    const left = await readLedgerFile(path);
    if (left !== undefined && holdsNothing(left)) await removeLedgerFile(path);
  }

  /** Removes the files of killed runs without open entries. */
  async #sweep(): Promise<void> {
    for (const path of await this.#files()) {
      const file = await readLedgerFile(path);
      if (file !== undefined && holdsNothing(file) && (await standing(file)) === "abandoned") {
        await removeLedgerFile(path);
      }
    }
  }

  async #files(): Promise<string[]> {
    const names = await asLedgerError(this.#directory, () => readdir(this.#directory));
    return names
      .filter((name) => name.endsWith(SUFFIX))
      .toSorted()
      .map((name) => join(this.#directory, name));
  }

  #pathOf(runId: string): string {
    if (!/^[\w-]{1,100}$/.test(runId)) throw new LedgerError(`${JSON.stringify(runId)} cannot be the id of a run`);
    return join(this.#directory, `${runId}${SUFFIX}`);
  }
}

function holdsNothing({ open, damagedLines }: LedgerFile): boolean {
  return open.length === 0 && damagedLines.length === 0;
}

async function standing({ run, ended }: LedgerFile): Promise<"abandoned" | "active" | "elsewhere"> {
  if (run === undefined || run.process.node !== processIdentity().node) return "elsewhere";
  if (ended || wasBeforeThisBoot(run)) return "abandoned";
  const state = await processState(run.process);
  if (state === "unknown") return "elsewhere";
  return state === "dead" ? "abandoned" : "active";
}

/** The directory belongs to one node, so another boot id is an earlier boot. */
function wasBeforeThisBoot({ process: { bootId } }: RunRecord): boolean {
  const own = processIdentity().bootId;
  return bootId !== null && own !== null && bootId !== own;
}
