import { beforeEach, expect, test } from "vitest";

import { CancelledError, type LedgerEntry } from "@ovault/contract";

import { EngineApi } from "../src/api/engine-api.ts";
import { InUseError } from "../src/leftovers/in-use.ts";
import type { LeftoverKinds, LeftoverLookUp } from "../src/leftovers/leftover-kind.ts";
import { lookUpLeftovers } from "../src/strategy/look-up-leftovers.ts";
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

/** Is there; its removal works or fails. */
const there =
  (fails: boolean): LeftoverLookUp =>
  async (_api, entry) => ({
    entry,
    gone: false,
    action: "remove it",
    remove: async () => {
      if (fails) throw new Error("no answer");
    },
  });

const kindsWith = (failing: boolean): LeftoverKinds => ({
  process: { lookUp: there(failing), before: ["snapshot", "disk"], unseen: true },
  transfer: { lookUp: there(true), before: ["snapshot", "disk"] },
  snapshot: { lookUp: there(false), before: ["disk"] },
  disk: { lookUp: there(false), before: [] },
});

test("what something unseen by the engine may use stays until that is gone; things of others go", async () => {
  const entries = [
    ["process", { vmId: "a", diskId: "1" }],
    ["transfer", { vmId: "b" }],
    ["snapshot", { vmId: "a" }],
    ["snapshot", { vmId: "b" }],
    ["disk", { diskId: "1" }],
    ["disk", { diskId: "2" }],
    ["disk", {}],
  ] as const;
  const removed = async (failing: boolean): Promise<readonly string[]> => {
    const recordedEntries = entries.map(([kind, detail], index) => ({
      ...recorded(2 * MINUTE_MS),
      id: String(index),
      kind,
      detail,
    }));
    const found = await lookUpLeftovers(apiWith(0), recordedEntries, kindsWith(failing), never);
    const outcomes: string[] = [];
    for (const { entry, remove } of found) {
      const outcome = await remove(never).then(
        () => "removed",
        (error: unknown) => (error instanceof InUseError ? error.code : "failed"),
      );
      outcomes.push(`${entry.kind} ${JSON.stringify(entry.detail)}: ${outcome}`);
    }
    return outcomes;
  };
  expect(await removed(true)).toEqual([
    'transfer {"vmId":"b"}: failed',
    'process {"vmId":"a","diskId":"1"}: failed',
    'snapshot {"vmId":"a"}: E_IN_USE',
    'snapshot {"vmId":"b"}: removed',
    'disk {"diskId":"1"}: E_IN_USE',
    'disk {"diskId":"2"}: removed',
    "disk {}: removed",
  ]);
  expect((await removed(false)).filter((outcome) => !outcome.endsWith(": removed"))).toEqual([
    'transfer {"vmId":"b"}: failed',
  ]);
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
