import { messageOf, type RecoveryPoint, type VirtualMachine } from "@ovault/contract";

import type { OperationContext } from "../operation-context.ts";
import type { Installation } from "../installation/installation.ts";

/**
 * Asks managers for their machines and destinations for their newest points; each once. One that does not answer costs
 * a warning, and its result is undefined.
 */
export class SiteSurvey {
  readonly #installation: Installation;
  readonly #context: Pick<OperationContext, "signal" | "reporter">;
  readonly #machines = new Map<string, readonly VirtualMachine[] | undefined>();
  readonly #points = new Map<string, ReadonlyMap<string, RecoveryPoint> | undefined>();

  constructor(installation: Installation, context: Pick<OperationContext, "signal" | "reporter">) {
    this.#installation = installation;
    this.#context = context;
  }

  async machinesOf(manager: string): Promise<readonly VirtualMachine[] | undefined> {
    return await this.#ask(this.#machines, manager, `manager ${manager}`, async () =>
      (await this.#installation.manager(manager)).inventory(this.#context.signal),
    );
  }

  /** The newest point of each machine, by its `machineKey`. */
  async newestPointsIn(destination: string): Promise<ReadonlyMap<string, RecoveryPoint> | undefined> {
    return await this.#ask(this.#points, destination, `destination ${destination}`, async () =>
      (await this.#installation.points(destination)).points.newest(this.#context.signal),
    );
  }

  async #ask<T>(
    known: Map<string, T | undefined>,
    name: string,
    title: string,
    ask: () => Promise<T>,
  ): Promise<T | undefined> {
    if (known.has(name)) return known.get(name);
    let answer: T | undefined;
    try {
      answer = await ask();
    } catch (error) {
      this.#context.signal.throwIfAborted();
      this.#context.reporter.warn(`${title} does not answer: ${messageOf(error)}`);
    }
    known.set(name, answer);
    return answer;
  }
}
