import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import type { DiskSource, Extent, HeldInstant, Strategy } from "@ovault/contract";
import { FileLedger } from "@ovault/core";
import {
  describeStrategy,
  type GuestFill,
  ModelPlatform,
  ModelStrategy,
  type OpenedStrategy,
  runCheck,
  strategyChecks,
} from "@ovault/testkit";

const MIB = 1024 * 1024;

type Wrap = (strategy: Strategy, platform: ModelPlatform) => Strategy;

function openModel(wrap: Wrap = (strategy) => strategy): OpenedStrategy {
  const platform = new ModelPlatform();
  for (const [id, length] of [
    ["disk-a", MIB],
    ["disk-b", MIB + 513],
  ] as const) {
    const bytes = new Uint8Array(length).fill(7, 1000, 200_000);
    platform.disks.set(id, { bytes, extents: [{ offset: 0, length, kind: "data" }] });
  }
  const bytesOf = (diskId: string): Uint8Array => platform.disks.get(diskId)?.bytes ?? new Uint8Array();
  return {
    strategy: wrap(new ModelStrategy(platform), platform),
    vm: async () => platform.vm(),
    view: async (diskId) => bytesOf(diskId).slice(),
    write: async (diskId, { offset, length, seed }: GuestFill) =>
      void bytesOf(diskId).fill(seed, offset, offset + length),
    leftovers: async () => [...platform.made, ...[...platform.checkpoints.keys()].map((id) => `checkpoint ${id}`)],
    dispose: async () => {},
  };
}

describeStrategy("the model strategy", { open: async () => openModel(), runs: 5 });

const withInstant =
  (replace: (instant: HeldInstant, platform: ModelPlatform) => Partial<HeldInstant>): Wrap =>
  (strategy, platform) => ({
    ...delegate(strategy),
    async takeInstant(request, context) {
      const instant = await strategy.takeInstant(request, context);
      return { ...instant, ...replace(instant, platform) };
    },
  });

const withSources = (replace: (source: DiskSource, platform: ModelPlatform) => Partial<DiskSource>): Wrap =>
  withInstant((instant, platform) => ({
    open: async (own) => (await instant.open(own)).map((source) => ({ ...source, ...replace(source, platform) })),
  }));

const withExtents = (change: (extent: Extent) => readonly Extent[]): Wrap =>
  withSources((source) => ({
    async *extents(signal) {
      for await (const extent of source.extents(signal)) yield* change(extent);
    },
  }));

function delegate(strategy: Strategy): Strategy {
  return {
    name: strategy.name,
    assess: (vm, signal) => strategy.assess(vm, signal),
    takeInstant: (request, context) => strategy.takeInstant(request, context),
    planRestore: (request, signal) => strategy.planRestore(request, signal),
    openRestore: (request, context) => strategy.openRestore(request, context),
    leftovers: (entries, signal) => strategy.leftovers(entries, signal),
  };
}

const FULL = "a full backup is what the guest sees, extents gapless over each disk";
const ABORTED = "a run that is aborted at any step leaves nothing";
const LEDGER =
  "whatever a run makes is in the ledger: a ledger that fails at any step leaves nothing that cannot be removed";
const STATES = "an instant can be closed in every state, and a failed one leaves nothing";
const signal = new AbortController().signal;

/** Each breaks one law, and the check that must tell. */
const offenders: Readonly<Record<string, readonly [wrap: Wrap, check: string]>> = {
  "assesses half of the disks": [
    (strategy) => ({
      ...delegate(strategy),
      assess: async (vm, own) => ({ disks: (await strategy.assess(vm, own)).disks.slice(1) }),
    }),
    "it says of every disk what it can do, and why",
  ],
  "ends its extents too early": [
    withExtents((extent) => (extent.offset > 0 ? [] : [{ ...extent, length: 512 }])),
    FULL,
  ],
  "takes data for zeros": [withExtents((extent) => [{ ...extent, kind: "zero" }]), FULL],
  "reads short": [
    withSources((source) => ({
      readInto: (offset, buffer, own) => source.readInto(offset, buffer.subarray(0, -1), own),
    })),
    "reads of any place and length fill the buffer exactly",
  ],
  "loses a change": [
    withExtents((extent) => [
      extent.offset % 4096 === 0 && extent.length === 512 ? { ...extent, kind: "unchanged" } : extent,
    ]),
    "an increment after any writes is what the guest sees",
  ],
  "reads the disk as it is by now": [
    withSources((source, platform) => ({
      async readInto(offset, buffer) {
        buffer.set(platform.disks.get(source.disk.id)?.bytes.subarray(offset, offset + buffer.length) ?? []);
      },
    })),
    "what the guest writes after the instant was taken is not in it",
  ],
  "does not hear an abort while it reads": [
    withSources((source) => ({ readInto: (offset, buffer) => source.readInto(offset, buffer, signal) })),
    "an aborted read or list of extents rejects",
  ],
  "keeps every checkpoint": [
    withInstant(() => ({ retire: async () => {} })),
    "runs of one chain do not pile up on the manager",
  ],
  "keeps what would have become a base": [
    withInstant((instant) => ({
      close: (outcome) => instant.close(outcome === "failed" ? "complete" : outcome),
    })),
    STATES,
  ],
  "leaves what it made when it is aborted": [
    (strategy, platform) => ({
      ...delegate(strategy),
      async takeInstant(request, { signal: own, ...context }) {
        own.throwIfAborted();
        const instant = await strategy.takeInstant(request, { ...context, signal });
        if (own.aborted) platform.made.add("left");
        own.throwIfAborted();
        return instant;
      },
    }),
    ABORTED,
  ],
  "makes things before it writes them down": [
    (strategy, platform) => ({
      ...delegate(strategy),
      async takeInstant(request, context) {
        platform.made.add(context.runId);
        const handle = await context.ledger.open({ kind: "snapshot", title: "too late", detail: {} });
        platform.made.delete(context.runId);
        await handle.close();
        return await strategy.takeInstant(request, context);
      },
    }),
    LEDGER,
  ],
};

for (const [what, [wrap, name]] of Object.entries(offenders)) {
  test(`a strategy that ${what} is found out`, async () => {
    const check = strategyChecks.find((known) => known.name === name);
    if (check === undefined) throw new Error(`there is no check "${name}"`);
    const directory = await mkdtemp(join(tmpdir(), "ovault-strategy-"));
    try {
      const subject = { ...openModel(wrap), ledger: await FileLedger.open(directory), runs: 10 };
      const { status, detail } = await runCheck(check, subject, signal);
      expect(detail).toMatch(/expected /);
      expect(status).toBe("failed");
    } finally {
      await rm(directory, { recursive: true });
    }
  });
}
