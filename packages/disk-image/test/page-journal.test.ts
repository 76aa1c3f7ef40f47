import { expect, test } from "vitest";

import { RecordWriter } from "../src/overlay/journal-records.ts";
import { payloadsOfRuns } from "../src/overlay/page-changes.ts";
import { PageJournal } from "../src/overlay/page-journal.ts";
import type { PageRun } from "../src/overlay/page-states.ts";
import { PowerCutDirectory } from "./support/power-cut-directory.ts";

const PAGES = 16;
const done = async (): Promise<void> => {};

function runOf(page: number): PageRun {
  return { first: page, end: page + 1, state: "data" };
}

function statesOf(journal: PageJournal): readonly string[] {
  return Array.from({ length: PAGES }, (_, page) => journal.of(page));
}

test("a record behind a torn one, both of a sync that was cut off, never comes back", async () => {
  const directory = new PowerCutDirectory(0);
  const file = await directory.open("journal", "new");
  const writer = new RecordWriter(file, { number: 0n, end: 0 });
  const ends: number[] = [];
  for (const page of [1, 2, 3]) {
    for (const payload of payloadsOfRuns([runOf(page)])) await writer.append(payload);
    ends.push(writer.end);
  }
  await file.datasync();
  directory.damage("journal", Number(ends[0]) + 20);
  const options = { file, path: "journal", pages: PAGES, start: 0, committedBytes: Number(ends[0]) };
  const journal = await PageJournal.read(options);
  expect(statesOf(journal).flatMap((state, page) => (state === "data" ? [page] : []))).toEqual([1]);
  // As long as the torn one: what was behind it would follow with the right number.
  journal.set(7, 8, "data");
  await journal.sync({ syncData: done, syncJournal: done });
  expect(statesOf(await PageJournal.read(options))).toEqual(statesOf(journal));
});

test("what is damaged before the end that was noted is an error that says where", async () => {
  const directory = new PowerCutDirectory(0);
  const file = await directory.open("journal", "new");
  const options = { file, path: "journal", pages: PAGES, start: 0, committedBytes: 0 };
  const journal = await PageJournal.read(options);
  for (const page of [1, 2, 3]) {
    journal.set(page, page + 1, "data");
    await journal.sync({ syncData: done, syncJournal: done });
  }
  const committedBytes = journal.end;
  directory.damage("journal", Math.floor(committedBytes / 2));
  await expect(PageJournal.read({ ...options, committedBytes })).rejects.toMatchObject({
    code: "E_INTEGRITY",
    context: { offset: committedBytes / 3 },
  });
});
