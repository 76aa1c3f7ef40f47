/** How many disks this process reads and writes at each host. */
export class BusyHosts {
  readonly #counts = new Map<string, number>();

  count(hostId: string): number {
    return this.#counts.get(hostId) ?? 0;
  }

  /** Counts one disk until the returned function is called. */
  enter(hostId: string): () => void {
    this.#counts.set(hostId, this.count(hostId) + 1);
    let isOver = false;
    return () => {
      if (!isOver) this.#counts.set(hostId, this.count(hostId) - 1);
      isOver = true;
    };
  }
}
