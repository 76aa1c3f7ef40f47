import { beforeEach, expect, test } from "vitest";

import { CancelledError, type LedgerEntry } from "@ovault/contract";

import { EngineApi } from "../src/api/engine-api.ts";
import { lookUpLeftovers, type LeftoverKinds, type LeftoverLookUp } from "../src/leftovers/look-up-leftovers.ts";
import { goneLeftover } from "../src/leftovers/gone-leftover.ts";

import type { EngineCaller } from "../src/engine/engine-caller.ts";

const MINUTE_MS = 60_000;
const never = new AbortController().signal;

/** How often the engine was looked at. */
let looks: number;
beforeEach(() => {
  looks = 0;
});

const unused = (): never => {
  throw new Error("not needed here");
};

function apiWith(inFlightMs: number): EngineApi {
  const caller: EngineCaller = {
    pollMs: 5,
    inFlightMs,
    conflictDeadlineMs: 0,
    hostPatienceMs: 0,
    apiVersion: () => Promise.resolve(4),
    get: unused,
    post: unused,
    put: unused,
    delete: unused,
  };
  return new EngineApi(caller);
}

function recorded(msAgo: number): LedgerEntry {
  const recordedAt = new Date(Date.now() - msAgo).toISOString();
  const run = { runId: "r1", node: "n1", manager: "lab", strategy: "disk-attachment" };
  return { ...run, id: "1", kind: "attachment", title: "disk a at the proxy VM p", detail: {}, recordedAt };
}

/** What is there from the so-many-eth look on. */
function appearing(at: number): LeftoverKinds {
  const lookUp: LeftoverLookUp = async (_api, entry) => {
    looks += 1;
    return looks < at ? goneLeftover(entry) : { entry, gone: false, action: "detach it", remove: async () => {} };
  };
  return { attachment: { lookUp, before: ["snapshot"] } };
}

test("what a dead run asked for a moment ago is waited for, because the engine may not be done with it", async () => {
  const found = await lookUpLeftovers(apiWith(MINUTE_MS), [recorded(0)], appearing(4), never);
  expect(found).toMatchObject([{ gone: false, action: "detach it" }]);
  expect(looks).toBe(4);
});

test("what does not show until then is gone, and what is there is not waited for", async () => {
  const startedAt = performance.now();
  expect(await lookUpLeftovers(apiWith(200), [recorded(0)], appearing(Infinity), never)).toMatchObject([
    { gone: true },
  ]);
  expect(performance.now() - startedAt).toBeGreaterThan(190);
  looks = 0;
  expect(await lookUpLeftovers(apiWith(MINUTE_MS), [recorded(0)], appearing(1), never)).toMatchObject([
    { gone: false },
  ]);
  expect(looks).toBe(1);
});

test("what was asked for long ago is believed to be gone at once", async () => {
  const found = await lookUpLeftovers(apiWith(MINUTE_MS), [recorded(2 * MINUTE_MS)], appearing(Infinity), never);
  expect(found).toMatchObject([{ gone: true }]);
  expect(looks).toBe(1);
});

test("a clock that was set back makes no wait longer, and a wait can be aborted", async () => {
  const early = recorded(-1_000 * MINUTE_MS);
  expect(await lookUpLeftovers(apiWith(20), [early], appearing(Infinity), never)).toMatchObject([{ gone: true }]);
  const abort = new AbortController();
  setTimeout(() => abort.abort(new CancelledError("enough")), 20);
  const waiting = lookUpLeftovers(apiWith(MINUTE_MS), [early], appearing(Infinity), abort.signal);
  await expect(waiting).rejects.toMatchObject({ code: "E_CANCELLED" });
});

const shows: LeftoverLookUp = async (_api, entry) => goneLeftover(entry);

test("each kind comes before those that wait for it, also where a strategy says so, and what is unknown comes first", async () => {
  const own: LeftoverKinds = {
    disk: { lookUp: shows, before: [] },
    snapshot: { lookUp: shows, before: ["disk"] },
    transfer: { lookUp: shows, before: ["snapshot", "disk"] },
    vm: { lookUp: shows, before: ["transfer", "disk"] },
    process: { lookUp: shows, before: ["volume"] },
    volume: { lookUp: shows, before: ["snapshot"] },
  };
  const kinds = ["disk", "snapshot", "volume", "process", "transfer", "vm", "later"];
  const entries = kinds.map((kind) => ({ ...recorded(2 * MINUTE_MS), kind }));
  const found = await lookUpLeftovers(apiWith(0), entries, own, never);
  expect(found.map(({ entry }) => entry.kind)).toEqual([
    "later",
    "vm",
    "process",
    "transfer",
    "volume",
    "snapshot",
    "disk",
  ]);
});
