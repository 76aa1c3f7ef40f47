import { expect, test } from "vitest";

import type { RunHooks, SpanEvent } from "@ovault/contract";
import { MemoryStore, type ModelDisk } from "@ovault/testkit";

import { repositoryRuns } from "./support/repository-runs.ts";

function diskOf(length: number, kind: "data" | "zero"): ModelDisk {
  const bytes = new Uint8Array(length).fill(kind === "data" ? 7 : 0);
  return { bytes, extents: length === 0 ? [] : [{ offset: 0, length, kind }] };
}

const DISKS = {
  short: diskOf(700, "data"),
  long: diskOf(90_000, "data"),
  zeros: diskOf(5000, "zero"),
  empty: diskOf(0, "data"),
};

test("the last progress of every disk shows it complete: in a full backup, an increment and a restore", async () => {
  const runs = await repositoryRuns(new MemoryStore());
  runs.platform.disks.clear();
  for (const [id, disk] of Object.entries(DISKS)) runs.platform.disks.set(id, disk);
  const last = new Map<string, SpanEvent>();
  const taps = [(hooks: RunHooks) => hooks.span.tap("test", (span) => void last.set(span.diskId, span))];
  const complete = Object.entries(DISKS).map(([id, { bytes }]) => [id, bytes.length, bytes.length]);
  const shown = () => {
    const spans = Object.keys(DISKS).map((id) => [id, last.get(id)?.doneBytes, last.get(id)?.logicalBytes]);
    last.clear();
    return spans;
  };
  await runs.backUp({ taps });
  expect(shown()).toEqual(complete);
  const point = await runs.backUp({ taps });
  expect(point.disks.map(({ mode }) => mode)).toEqual(Object.keys(DISKS).map(() => "incremental"));
  expect(shown()).toEqual(complete);
  await runs.restore(point, { taps });
  expect(shown()).toEqual(complete);
});
