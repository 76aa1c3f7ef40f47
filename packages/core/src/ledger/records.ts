import { z } from "zod";

import type { JsonObject, LedgerEntry } from "@ovault/contract";

const detail: z.ZodType<JsonObject> = z.record(z.string(), z.json());

const processIdentity = z.object({
  node: z.string(),
  pid: z.int(),
  bootId: z.string().nullable(),
  pidNamespace: z.string().nullable(),
  startTicks: z.number().nullable(),
});

/** Self-contained: usable even when every other line of the file is lost. */
const entry: z.ZodType<LedgerEntry> = z.object({
  id: z.string(),
  runId: z.string(),
  node: z.string(),
  manager: z.string(),
  strategy: z.string(),
  kind: z.string(),
  title: z.string(),
  detail,
  recordedAt: z.string(),
});

const record = z.discriminatedUnion("type", [
  /** The first record: the process that writes this file. */
  z.object({ type: z.literal("run"), version: z.literal(1), process: processIdentity }),
  z.object({ type: z.literal("opened"), entry }),
  z.object({ type: z.literal("amended"), id: z.string(), detail }),
  z.object({ type: z.literal("closed"), id: z.string() }),
  /** The run is over; entries still open are abandoned. */
  z.object({ type: z.literal("ended") }),
  /** As `closed`, written by another process after the run ended. */
  z.object({ type: z.literal("struck"), id: z.string() }),
]);

export type LedgerRecord = z.infer<typeof record>;
export type RunRecord = Extract<LedgerRecord, { type: "run" }>;

/** The content of one run's file. */
export interface LedgerFile {
  /** Undefined when its line is damaged, or not yet written. */
  readonly run: RunRecord | undefined;
  readonly ended: boolean;
  /** Entries opened and not closed, with their amendments, in the order of opening. */
  readonly open: readonly LedgerEntry[];
  /** Numbers, from 1, of unreadable lines, except the one that a crash tore. */
  readonly damagedLines: readonly number[];
}

/** One line. It also begins with a line break, so that it does not join a line that a crash tore. */
export function encodeRecord(value: LedgerRecord): string {
  return `\n${JSON.stringify(value)}\n`;
}

/**
 * Parses a file of records, whole or cut at any byte. An entry is missing from `open` only if it was never durably
 * opened, was closed, or its own line is damaged.
 */
export function parseLedgerFile(text: string): LedgerFile {
  let run: RunRecord | undefined;
  let ended = false;
  const open = new Map<string, LedgerEntry>();
  const unreadable: number[] = [];
  let lastOwnLine = 0;
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const parsed = parseLine(line);
    if (parsed === undefined) {
      unreadable.push(index + 1);
      continue;
    }
    if (parsed.type !== "struck") lastOwnLine = index + 1;
    switch (parsed.type) {
      case "run":
        run = parsed;
        break;
      case "ended":
        ended = true;
        break;
      case "opened":
        open.set(parsed.entry.id, parsed.entry);
        break;
      case "amended": {
        const before = open.get(parsed.id);
        if (before !== undefined) open.set(parsed.id, amend(before, parsed.detail));
        break;
      }
      case "closed":
      case "struck":
        open.delete(parsed.id);
        break;
    }
  }
  // A torn record was never acknowledged, and only resolutions of entries can follow it.
  return { run, ended, open: [...open.values()], damagedLines: unreadable.filter((line) => line < lastOwnLine) };
}

/** Adds detail to the entry; later values win. */
export function amend(before: LedgerEntry, more: JsonObject): LedgerEntry {
  return { ...before, detail: { ...before.detail, ...more } };
}

function parseLine(line: string): LedgerRecord | undefined {
  try {
    return record.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
