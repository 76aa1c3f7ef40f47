import { Semaphore } from "@ovault/contract";

import { nameOf, type BlockVolume } from "./host-volumes.ts";

/**
 * The volumes that this process has activated on one host, with the number of their users: disks made from one template
 * share volumes, and the last user deactivates them. Work on them runs one after the other, so that none is deactivated
 * between another user's look and use.
 */
export class SharedActivations {
  static readonly #hosts = new Map<string, SharedActivations>();
  readonly #users = new Map<string, number>();
  readonly #turn = new Semaphore(1);

  static of(hostId: string): SharedActivations {
    const known = this.#hosts.get(hostId) ?? new SharedActivations();
    this.#hosts.set(hostId, known);
    return known;
  }

  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#turn.run(work, signal);
  }

  has(volume: BlockVolume): boolean {
    return this.#users.has(nameOf(volume));
  }

  enter(volumes: readonly BlockVolume[]): void {
    for (const name of volumes.map(nameOf)) this.#users.set(name, (this.#users.get(name) ?? 0) + 1);
  }

  /** @returns those that have no user any more */
  leave(volumes: readonly BlockVolume[]): readonly BlockVolume[] {
    return volumes.filter((volume) => {
      const users = (this.#users.get(nameOf(volume)) ?? 1) - 1;
      if (users > 0) this.#users.set(nameOf(volume), users);
      else this.#users.delete(nameOf(volume));
      return users === 0;
    });
  }
}
