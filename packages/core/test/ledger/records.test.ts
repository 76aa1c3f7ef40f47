import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { LedgerHandle } from "@ovault/contract";
import { FileLedger } from "@ovault/core";

import { parseLedgerFile } from "../../src/ledger/records.ts";

/** What a run does: opens one more entry, or amends or closes the `n`th. */
const step = fc.tuple(fc.constantFrom("open", "amend", "close"), fc.nat(5));
const text = fc.oneof(fc.string({ unit: "binary", maxLength: 12 }), fc.constant('"}\n{"type":"closed"'));

/** Where in the file an entry's records end, in bytes; Infinity for what has not been written. */
interface Life {
  readonly title: string;
  readonly openedAt: number;
  closedAt: number;
  amendedAt: number;
}

let directory = "";
let runs = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-records-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** Lets a real run write, and tells what its file holds at which size. */
async function write(steps: readonly (readonly [string, number])[], title: string) {
  const runId = `run-${runs++}`;
  const path = join(directory, `${runId}.jsonl`);
  const run = await (await FileLedger.open(directory)).forRun({ runId, manager: "engine", strategy: "s" });
  const lives: (Life & { handle: LedgerHandle })[] = [];
  const size = async () => (await stat(path)).size;
  for (const [what, n] of steps) {
    const life = lives[n % Math.max(1, lives.length)];
    if (what === "open") {
      const handle = await run.open({ kind: "disk", title: `${title}${lives.length}`, detail: { note: title } });
      const never = { closedAt: Infinity, amendedAt: Infinity };
      lives.push({ handle, title: handle.entry.title, openedAt: await size(), ...never });
    } else if (life !== undefined && life.closedAt === Infinity) {
      if (what === "amend") {
        await life.handle.amend({ made: title });
        life.amendedAt = Math.min(life.amendedAt, await size());
      } else {
        await life.handle.close();
        life.closedAt = await size();
      }
    }
  }
  const bytes = await readFile(path);
  for (const life of lives) if (life.closedAt === Infinity) await life.handle.close();
  await run.end();
  return { bytes, lives };
}

function countOpen(lines: readonly string[]): number {
  return parseLedgerFile(lines.join("\n")).open.length;
}

describe("the file of a run", () => {
  test("cut at any byte, it shows every entry that was opened and not yet closed, and nothing made up", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), text, async (steps, title) => {
        const { bytes, lives } = await write(steps, title);
        for (let cut = 0; cut <= bytes.length; cut++) {
          const { open, damagedLines } = parseLedgerFile(bytes.subarray(0, cut).toString("utf8"));
          expect(damagedLines).toEqual([]);
          const shown = new Map(open.map((entry) => [entry.title, entry.detail]));
          // The line break that ends a record may be cut off it: the record counts all the same.
          const due = lives.filter((life) => life.openedAt <= cut && life.closedAt > cut + 1);
          const possible = lives.filter((life) => life.openedAt <= cut + 1 && life.closedAt > cut);
          expect([...shown.keys()]).toEqual(expect.arrayContaining(due.map((life) => life.title)));
          expect(possible.map((life) => life.title)).toEqual(expect.arrayContaining([...shown.keys()]));
          for (const life of due) expect(shown.get(life.title)).toHaveProperty("note", title);
          for (const life of due.filter((amended) => amended.amendedAt <= cut)) {
            expect(shown.get(life.title)).toHaveProperty("made", title);
          }
        }
      }),
      { numRuns: 12 },
    );
  });

  test("one damaged line costs at most the entry it holds", async () => {
    const steps = ["open", "open", "amend", "open"].map((what, n) => [what, n] as const);
    const { bytes } = await write(steps, "x");
    const lines = bytes.toString("utf8").split("\n");
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.nat(300), (n, cut) => {
        const damaged = lines.with(n, (lines[n] ?? "").slice(0, cut));
        expect(countOpen(damaged)).toBeGreaterThanOrEqual(countOpen(lines) - 1);
      }),
    );
  });
});
