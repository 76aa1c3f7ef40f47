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

/** Complete in itself: it can be acted on even when every other line of the file is lost. */
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
  /** The first record: who writes this file. */
  z.object({ type: z.literal("run"), version: z.literal(1), process: processIdentity }),
  z.object({ type: z.literal("opened"), entry }),
  z.object({ type: z.literal("amended"), id: z.string(), detail }),
  z.object({ type: z.literal("closed"), id: z.string() }),
  /** The run is over and has left what is still open. */
  z.object({ type: z.literal("ended") }),
  /** As `closed`, written by somebody else after the run was over. */
  z.object({ type: z.literal("struck"), id: z.string() }),
]);

export type LedgerRecord = z.infer<typeof record>;
export type RunRecord = Extract<LedgerRecord, { type: "run" }>;

/** What the file of one run says. */
export interface LedgerFile {
  /** Absent when its line is damaged, or not written yet. */
  readonly run: RunRecord | undefined;
  readonly ended: boolean;
  /** Opened and not closed, with what was amended, in the order they were opened. */
  readonly open: readonly LedgerEntry[];
  /** Numbers, from 1, of lines that cannot be read, other than the one that a crash tore. */
  readonly damagedLines: readonly number[];
}

/** One line. It begins with a line break too, so that it does not join what a crash tore off before it. */
export function encodeRecord(value: LedgerRecord): string {
  return `\n${JSON.stringify(value)}\n`;
}

/**
 * Reads a file of records, whole or cut at any byte. An entry is missing from `open` only if it was never opened
 * durably, was closed, or its own line is among the damaged ones.
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
  // The record a crash tore had not been answered, and only strikes can follow it.
  return { run, ended, open: [...open.values()], damagedLines: unreadable.filter((line) => line < lastOwnLine) };
}

/** The entry with more detail; later values win. */
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
