import type { EngineCore } from "../engine-core.ts";
import type { VmState } from "../engine-state.ts";
import { eventCodes } from "../event-codes.ts";
import { conflict, EngineFault } from "../engine-fault.ts";

/** A request to a guest agent and its result: `host …` when a backup or snapshot made it by itself. */
export type GuestEvent =
  "freeze" | "frozen" | "thaw" | "thawed" | "host froze" | "host thawed" | "host could not freeze";

/** More than any test reads back. */
const MAX_EVENTS = 1_000;
/** How many steps the fault `freeze-hang` lasts when it comes once. */
const HANG_STEPS = 100;

/** The part of the guest agent that the engine needs: it freezes and thaws file systems. */
export class GuestOperations {
  readonly #core: EngineCore;
  readonly #frozen = new Set<string>();
  readonly #events = new Map<string, GuestEvent[]>();

  constructor(core: EngineCore) {
    this.#core = core;
  }

  isFrozen(vmId: string): boolean {
    return this.#frozen.has(vmId);
  }

  /** Oldest first. */
  eventsOf(vmId: string): readonly GuestEvent[] {
    return this.#events.get(vmId) ?? [];
  }

  /** @throws EngineFault 404; 409 for a machine that is not up; 400 when the guest fails. */
  async freeze(vmId: string): Promise<void> {
    const vm = this.#running(vmId, "freeze");
    this.#note(vm, "freeze");
    try {
      await this.#freeze(vm);
    } catch (error) {
      this.#event(vm, eventCodes.freezeRefused, `Failed to freeze guest filesystems on ${vm.name}.`);
      throw error;
    }
    this.#note(vm, "frozen");
    this.#event(
      vm,
      eventCodes.freezeSucceeded,
      `Guest filesystems on VM ${vm.name} have been frozen successfully.`,
      "normal",
    );
  }

  /** Accepts a guest that is not frozen. @throws EngineFault as `freeze` does */
  thaw(vmId: string): void {
    const vm = this.#running(vmId, "thaw");
    this.#note(vm, "thaw");
    try {
      this.#requireAgent(vm);
      if (this.#core.faults.strikes("thaw-failure")) throw refusedByGuest("Unable to thaw guest filesystems");
    } catch (error) {
      this.#event(vm, eventCodes.thawRefused, `Failed to thaw guest filesystems on ${vm.name}.`);
      throw error;
    }
    this.#frozen.delete(vmId);
    this.#note(vm, "thawed");
    this.#event(
      vm,
      eventCodes.thawSucceeded,
      `Guest filesystems on VM ${vm.name} have been thawed successfully.`,
      "normal",
    );
  }

  /**
   * The host's part in a backup or a snapshot: freezes, and thaws in any case. Calls `unfrozen`, which may throw, with
   * the reason when it could not freeze. A machine that is not up has nothing to freeze.
   */
  async quiesced<T>(vm: VmState, unfrozen: (reason: string) => void, work: () => Promise<T>): Promise<T> {
    if (vm.status !== "up") return await work();
    try {
      await this.#freezeByHost(vm, unfrozen);
      return await work();
    } finally {
      this.#frozen.delete(vm.id);
      this.#note(vm, "host thawed");
    }
  }

  /** Forgets a freeze: a restarted guest is not frozen. */
  ended(vmId: string): void {
    this.#frozen.delete(vmId);
  }

  async #freezeByHost(vm: VmState, unfrozen: (reason: string) => void): Promise<void> {
    try {
      await this.#freeze(vm);
      this.#note(vm, "host froze");
    } catch (error) {
      if (!(error instanceof EngineFault)) throw error;
      this.#note(vm, "host could not freeze");
      unfrozen(error.detail ?? error.reason);
    }
  }

  async #freeze(vm: VmState): Promise<void> {
    const { faults, background } = this.#core;
    this.#requireAgent(vm);
    if (faults.strikes("freeze-failure")) throw refusedByGuest("Unable to freeze guest filesystems");
    if (this.#frozen.has(vm.id)) throw refusedByGuest("The guest filesystems are frozen already");
    if (faults.mode("freeze-hang") === "once") {
      faults.strikes("freeze-hang");
      await background.steps(HANG_STEPS);
    }
    while (faults.mode("freeze-hang") === "on") await background.steps();
    this.#frozen.add(vm.id);
  }

  #running(vmId: string, action: string): VmState {
    const vm = this.#core.vm(vmId);
    if (vm.status !== "up") throw conflict(`Cannot ${action} VM. VM is not running.`);
    return vm;
  }

  #requireAgent(vm: VmState): void {
    if (vm.guestAgent === false) throw refusedByGuest("Guest agent is not responding");
  }

  #note({ id }: VmState, event: GuestEvent): void {
    const events = this.#events.get(id) ?? [];
    this.#events.set(id, events);
    events.push(event);
    if (events.length > MAX_EVENTS) events.shift();
  }

  #event(vm: VmState, code: number, description: string, severity: "normal" | "warning" = "warning"): void {
    this.#core.journal.event(code, { description, severity, vmId: vm.id });
  }
}

function refusedByGuest(reason: string): EngineFault {
  return new EngineFault(400, "Operation Failed", `[${reason}]`);
}
