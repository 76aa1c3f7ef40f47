import {
  type Clock,
  type Consistency,
  type Manager,
  messageOf,
  observe,
  OvaultError,
  QuiesceError,
  type RunHooks,
  type VirtualMachine,
} from "@ovault/contract";
import type { Ledger } from "@ovault/core";

import type { Side } from "./environment.ts";
import { type FrozenEntry, recordFrozen } from "./frozen-guests.ts";
import { GuestFreeze } from "./guest-freeze.ts";
import { type CommandHost, runCommand } from "./run-command.ts";
import type { CommandOptions, ConsistencyOptions } from "./schema.ts";

const NAME = "Consistency";
/** Encloses the taps of other plugins: freezes last, thaws first. */
const LAST = { name: NAME, stage: Number.MAX_SAFE_INTEGER };
const FIRST = { name: NAME, stage: Number.MIN_SAFE_INTEGER };

export interface ConsistencyParts {
  readonly options: ConsistencyOptions;
  readonly manager: Manager;
  readonly ledger: Ledger;
  readonly host: CommandHost;
  readonly clock: Clock;
  readonly hooks: RunHooks;
}

/**
 * The taps of one run. The order is: commands before, freeze, snapshot, thaw, commands after. Whatever begins is ended,
 * however the run goes: a freeze by a thaw, commands before by commands after.
 */
export class ConsistencyRun {
  readonly #parts: ConsistencyParts;
  #runId = "";
  #begun = false;
  #frozen: { readonly guest: GuestFreeze; readonly entry: FrozenEntry } | undefined;
  /** ovault kept the guest frozen from before the snapshot until after it. */
  #wasAtRest = false;
  /** The error of a command that failed too late to prevent the snapshot. */
  #veto: unknown;

  constructor(parts: ConsistencyParts) {
    this.#parts = parts;
  }

  tap(): void {
    const { hooks } = this.#parts;
    hooks.started.tap(NAME, ({ runId }) => {
      this.#runId = runId;
    });
    hooks.beforeSnapshot.tapPromise(LAST, (vm, signal) => this.#before(vm, signal));
    hooks.afterSnapshot.tapPromise(FIRST, (vm) => this.#after(vm));
    hooks.consistency.tap(LAST, (reached, vm) => this.#judge(reached, vm));
  }

  async #before(vm: VirtualMachine, signal: AbortSignal): Promise<void> {
    const { commands, freeze } = this.#parts.options;
    this.#begun = true;
    this.#wasAtRest = false;
    this.#veto = undefined;
    for (const command of commands.before) {
      const failure = await this.#run(command, "before", vm, signal);
      if (failure !== undefined) throw failure;
    }
    // A machine that is down is at rest.
    if (freeze === "explicit" && vm.status !== "down") await this.#freeze(vm, signal);
  }

  /** Each step has its own deadline: a slow command must not prevent the guest's next one. */
  async #after(vm: VirtualMachine): Promise<void> {
    if (!this.#begun) return;
    this.#begun = false;
    await this.#thaw(vm);
    for (const command of this.#parts.options.commands.after) {
      const failure = await this.#run(command, "after", vm, new AbortController().signal);
      this.#veto ??= failure;
    }
  }

  #judge(reached: Consistency, vm: VirtualMachine): Consistency {
    if (this.#veto !== undefined) throw this.#veto;
    const known = reached === "crash" && this.#wasAtRest ? "filesystem" : reached;
    if (this.#parts.options.quiesce === "require" && known === "crash") {
      throw new QuiesceError(`the file systems of ${vm.name} were not frozen, or that is unknown`, {
        context: { vm: vm.id },
        hint: "Does the QEMU guest agent run in the guest? With `quiesce: try` the point is taken without, and says so.",
      });
    }
    return known;
  }

  async #freeze(vm: VirtualMachine, signal: AbortSignal): Promise<void> {
    const { options, manager, ledger, clock } = this.#parts;
    const { quiescing } = manager;
    try {
      if (quiescing === undefined)
        throw new QuiesceError(`the manager ${manager.name} cannot freeze guests when asked`);
      const freezeMs = options.freezeTimeoutSeconds * 1_000;
      const thawMs = options.thawTimeoutSeconds * 1_000;
      const guest = new GuestFreeze({ quiescing, vm, freezeMs, thawMs, clock });
      const entry = await recordFrozen(ledger, vm);
      this.#phase("freeze", vm.name);
      let isStuck = false;
      try {
        await guest.freeze(signal, (error) => {
          isStuck = true;
          this.#warnOfFrozen(vm, error);
        });
      } catch (error) {
        await this.#note(isStuck ? entry.leave() : entry.close());
        throw error;
      }
      this.#frozen = { guest, entry };
    } catch (error) {
      signal.throwIfAborted();
      if (options.quiesce === "require") throw notFrozen(vm, error);
      this.#warn(`the file systems of ${vm.name} were not frozen: ${messageOf(error)}`);
    }
  }

  async #thaw(vm: VirtualMachine): Promise<void> {
    if (this.#frozen === undefined) return;
    const { guest, entry } = this.#frozen;
    this.#frozen = undefined;
    this.#phase("thaw", vm.name);
    try {
      this.#wasAtRest = (await guest.thaw()) === "was frozen";
    } catch (error) {
      this.#warnOfFrozen(vm, error);
      await this.#note(entry.leave());
      return;
    }
    await this.#note(entry.close());
    if (!this.#wasAtRest) this.#warn(`${vm.name} may have thawed by itself before its snapshot was taken`);
  }

  /** A failed ledger write does not undo a thaw: at worst the guest is thawed once more. */
  async #note(writing: Promise<void>): Promise<void> {
    await writing.catch((error: unknown) => this.#warn(messageOf(error)));
  }

  /** Returns the failure if it is to end the run; otherwise only reports it. */
  async #run(command: CommandOptions, side: Side, vm: VirtualMachine, signal: AbortSignal): Promise<unknown> {
    const { host, hooks } = this.#parts;
    try {
      await runCommand(command, { occasion: { vm, runId: this.#runId, side }, hooks, host, signal });
      return undefined;
    } catch (error) {
      if (signal.aborted || command.onFailure === "abort") return error;
      this.#warn(messageOf(error));
      return undefined;
    }
  }

  #warnOfFrozen(vm: VirtualMachine, error: unknown): void {
    const seconds = this.#parts.options.thawTimeoutSeconds;
    this.#warn(
      `${vm.name} MAY BE FROZEN: it could not be thawed within ${seconds} s (${messageOf(error)}). Thaw it now: in the guest, ` +
        `\`fsfreeze --unfreeze MOUNTPOINT\` for each file system; or by its manager, with \`ovault doctor --fix\`; or restart it`,
    );
  }

  #phase(phase: string, detail: string): void {
    observe(this.#parts.hooks.phase, { phase, detail });
  }

  #warn(message: string): void {
    observe(this.#parts.hooks.warning, message);
  }
}

function notFrozen(vm: VirtualMachine, cause: unknown): QuiesceError {
  const hint = cause instanceof OvaultError ? cause.hint : undefined;
  return new QuiesceError(`the file systems of ${vm.name} could not be frozen: ${messageOf(cause)}`, {
    cause,
    context: { vm: vm.id },
    hint:
      hint ??
      "Does the QEMU guest agent run in the guest? With `quiesce: try` the point is taken without, and says so.",
  });
}
