import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { createRunHooks, type RunHooks, type Strategy, type VirtualMachine } from "@ovault/contract";
import type { Ledger } from "@ovault/core";
import type { GuestWrite, Lab } from "@ovault/lab";
import type { OvirtManager } from "@ovault/ovirt";
import {
  takeBackup,
  withRun,
  type BackupBench,
  type GuestFill,
  type RunWishes,
  type StrategyBench,
  type TakenBackup,
} from "@ovault/testkit";

import type { LabSite } from "./lab-site.ts";
import { never } from "./never.ts";
import { restoreRequest, restoreTaken, type RestoreWishes } from "./restore-taken.ts";

const SETTLE_MS = 30_000;

/** A recovery point with the bytes of its disks, by disk id, and the warnings of its run. */
export interface Taken extends TakenBackup {
  readonly warnings: readonly string[];
}

export interface BackupWishes<S extends Strategy = Strategy> extends Partial<RunWishes> {
  /** Called when all disks are open, before any read. */
  readonly whenOpen?: () => Promise<void>;
  /** Replaces the bench's own. */
  readonly strategy?: S;
}

/**
 * A strategy on the machine `web` of a lab. Acts as core's runs do, with images in memory in place of a repository, so
 * that a test exercises the strategy alone.
 */
export class LabBench<S extends Strategy = Strategy> {
  readonly site: LabSite;
  readonly lab: Lab;
  readonly manager: OvirtManager;
  /** The same engine, with short waits for locked resources. */
  readonly hasty: OvirtManager;
  readonly ledger: Ledger;
  readonly strategy: S;

  constructor(site: LabSite, strategy: S) {
    this.site = site;
    this.lab = site.lab;
    this.manager = site.manager;
    this.hasty = site.hasty;
    this.ledger = site.ledger;
    this.strategy = strategy;
  }

  close(): Promise<void> {
    return this.site.close();
  }

  /** As the manager shows it now. */
  async vm(name = "web"): Promise<VirtualMachine> {
    const vms = await this.manager.inventory(never);
    const vm = vms.find((one) => one.name === name);
    if (vm === undefined) throw new Error(`no virtual machine ${name}`);
    return vm;
  }

  async vmNames(): Promise<string[]> {
    return (await this.manager.inventory(never)).map(({ name }) => name);
  }

  /** Id of a machine, without asking the engine. */
  idOf(name: string): string {
    const vm = this.lab.vms.find((one) => one.name === name);
    if (vm === undefined) throw new Error(`no virtual machine ${name}`);
    return vm.id;
  }

  /** Lets the guest of `web` write to one of its disks, by index. */
  async write(disk: number, write: GuestWrite): Promise<void> {
    await this.lab.write("web", String(disk), write);
  }

  /** QEMU's own view of a disk. */
  async view(diskId: string): Promise<Buffer> {
    const path = join(this.site.directory, `${randomUUID()}.raw`);
    await this.lab.view(diskId, path);
    const bytes = await readFile(path);
    await rm(path);
    return bytes;
  }

  /** Views of all disks, by disk id. */
  async viewAll(name = "web"): Promise<Map<string, Buffer>> {
    const disks = this.lab.vms.find((one) => one.name === name)?.disks ?? [];
    const views = new Map<string, Buffer>();
    for (const { id } of disks) views.set(id, await this.view(id));
    return views;
  }

  /** For `withRun` and `takeBackup` of the testkit. */
  parts(strategy: S = this.strategy): BackupBench {
    return { strategy, ledger: this.ledger, vm: () => this.vm() };
  }

  /** For `describeStrategy` of the testkit. The bench stays open. */
  underTest(strategy: S = this.strategy): StrategyBench & { dispose(): Promise<void> } {
    return {
      strategy,
      vm: () => this.vm(),
      view: (diskId) => this.view(diskId),
      write: (diskId, fill) => this.lab.write("web", diskId, guestWrite(fill)),
      leftovers: () => this.left(),
      dispose: async () => {},
    };
  }

  /** Fails as a run does: after the strategy has cleaned up. */
  async backup({ whenOpen, strategy, ...wishes }: BackupWishes<S> = {}): Promise<Taken> {
    const hooks = createRunHooks();
    const warnings: string[] = [];
    hooks.warning.tap("bench", (message) => warnings.push(message));
    const taken = await takeBackup(this.parts(strategy), { signal: never, hooks, ...wishes }, { whenOpen });
    return { ...taken, warnings };
  }

  /**
   * For a state that passes while a run waits for it: hooks that end `lab.alterAnswers` as soon as the run shows a
   * wait. `waits` collects what the run waits for.
   */
  passWhenWaitedFor(): { readonly hooks: RunHooks; readonly waits: readonly string[] } {
    const hooks = createRunHooks();
    const waits: string[] = [];
    hooks.phase.tap("bench", ({ phase, detail }) => {
      if (phase !== "wait") return;
      waits.push(detail);
      this.lab.alterAnswers(undefined);
    });
    return { hooks, waits };
  }

  /** Leaves what a dead run leaves: an instant that is never closed, with its disks open on the engine. */
  async backupAndDie(wishes: Partial<RunWishes> = {}): Promise<void> {
    await withRun(
      this.parts(),
      { signal: never, ...wishes, dies: true },
      async ({ instant }) => void (await instant.open(never)),
    );
  }

  /** Resolves to the warnings. */
  restore(taken: TakenBackup, name: string, wishes: RestoreWishes<S> = {}): Promise<readonly string[]> {
    const { strategy = this.strategy } = wishes;
    const request = { ...restoreRequest(taken, name), ...wishes.wishes };
    const run = { strategy, ledger: this.ledger, manager: this.manager.name };
    return restoreTaken(run, request, taken.images, wishes);
  }

  /** As `doctor --fix`: what cannot be removed stays in the ledger. Returns the actions announced. */
  async removeLeftovers(): Promise<string[]> {
    const leftovers = await this.strategy.leftovers(await this.ledger.abandoned(), never);
    for (const leftover of leftovers) {
      const removed = leftover.gone || (await succeeds(leftover.remove(never)));
      if (removed) await this.ledger.resolve(leftover.entry);
    }
    return leftovers.map(({ action }) => action);
  }

  /** Everything that runs left on the engine and in the ledger, one text each, except machines with these names. */
  async left(...machines: readonly string[]): Promise<readonly string[]> {
    const { vms, ...left } = await this.lab.leftovers();
    return [
      ...Object.entries(left).flatMap(([kind, ids]) => ids.map((id) => `${kind}: ${id}`)),
      ...vms.filter((name) => !machines.includes(name)).map((name) => `vm: ${name}`),
      ...(await this.ledger.abandoned()).map(({ title }) => `ledger: ${title}`),
    ];
  }

  /** What is left when the engine has finished its tasks. */
  async settled(...machines: readonly string[]): Promise<readonly string[]> {
    for (const end = performance.now() + SETTLE_MS; ;) {
      const left = await this.left(...machines);
      if (left.length === 0 || performance.now() > end) return left;
      await sleep(50);
    }
  }
}

/** Writes seed 0 as zeros, everything else as noise. */
function guestWrite({ offset, length, seed }: GuestFill): GuestWrite {
  return seed === 0 ? { offset, length, kind: "zero" } : { offset, length, kind: "random", seed: `${seed}` };
}

function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
