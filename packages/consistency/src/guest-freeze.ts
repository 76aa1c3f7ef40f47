import {
  type Clock,
  DeadlineError,
  isTransient,
  messageOf,
  OvaultError,
  type Quiescing,
  unlessAborted,
  type VirtualMachine,
} from "@ovault/contract";

/** Between two attempts to thaw: the first, and the longest. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** Timeout of one attempt. */
const THAW_CALL_MS = 60_000;

export interface GuestFreezeOptions {
  readonly quiescing: Quiescing;
  readonly vm: VirtualMachine;
  readonly freezeMs: number;
  /** Total time for attempts to thaw. */
  readonly thawMs: number;
  readonly clock: Clock;
}

/**
 * One guest, frozen once and thawed in any case. Its file systems block while they are frozen, so thawing has priority:
 * it also thaws what may have been frozen, and once more if the freeze is still running.
 */
export class GuestFreeze {
  readonly #options: GuestFreezeOptions;
  #freezing: Promise<unknown> = Promise.resolve();
  #isFreezing = false;
  #wasRefused = false;

  constructor(options: GuestFreezeOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the guest is frozen. Rejects after an attempt to thaw: calls `onStuck` if that failed and the guest
   * may be frozen.
   * @throws DeadlineError after the time to freeze; what the manager throws; the signal's reason
   */
  async freeze(signal: AbortSignal, onStuck: (error: unknown) => void): Promise<void> {
    const { quiescing, vm, freezeMs } = this.#options;
    const deadline = AbortSignal.timeout(freezeMs);
    const either = AbortSignal.any([signal, deadline]);
    signal.throwIfAborted();
    const work = quiescing.freeze(vm, either);
    this.#isFreezing = true;
    this.#freezing = work.catch(() => undefined).finally(() => (this.#isFreezing = false));
    try {
      await unlessAborted(work, either);
    } catch (error) {
      // A guest that refuses usually has no agent; it refuses the thaw as well, which needs no report.
      const answered = !either.aborted && error instanceof OvaultError && !isTransient(error);
      if (answered) await this.#thawOnce().catch(() => undefined);
      else await this.thaw().catch(onStuck);
      signal.throwIfAborted();
      throw deadline.aborted ? tooSlow(vm, freezeMs, error) : error;
    }
  }

  /**
   * Retries until its time is up. Resolves to whether the guest was frozen until now, as far as known: a refusal may
   * mean that it thawed by itself before (Windows does after ten seconds).
   * @throws the error of the last attempt
   */
  async thaw(): Promise<"was frozen" | "unknown"> {
    const { clock, thawMs, vm } = this.#options;
    const end = clock.elapsedMs() + thawMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const mayTakeHoldYet = this.#isFreezing;
        await this.#thawOnce();
        if (!mayTakeHoldYet) return this.#wasRefused ? "unknown" : "was frozen";
        await this.#settled(end - clock.elapsedMs());
        if (this.#isFreezing) throw new DeadlineError(`${vm.name} is still being frozen`);
      } catch (error) {
        this.#wasRefused ||= !isTransient(error);
        if (clock.elapsedMs() + pauseMs >= end) throw error;
        await clock.sleep(pauseMs, new AbortController().signal);
      }
    }
  }

  async #thawOnce(): Promise<void> {
    const { quiescing, vm, thawMs } = this.#options;
    const signal = AbortSignal.timeout(Math.min(THAW_CALL_MS, thawMs));
    await unlessAborted(quiescing.thaw(vm, signal), signal);
  }

  /** An abandoned freeze may still take effect after the thaw. */
  async #settled(withinMs: number): Promise<void> {
    const { clock } = this.#options;
    const settling = new AbortController();
    await Promise.race([this.#freezing, clock.sleep(Math.max(withinMs, 0), settling.signal).catch(() => undefined)]);
    settling.abort();
  }
}

function tooSlow(vm: VirtualMachine, freezeMs: number, cause: unknown): DeadlineError {
  return new DeadlineError(`${vm.name} was not frozen within ${freezeMs / 1_000} s: ${messageOf(cause)}`, {
    cause,
    context: { vm: vm.id, freezeMs },
    retry: "exhausted",
    hint: "Look into the guest: a file system that hangs, a busy disk, or hooks of the guest agent that do not end.",
  });
}
