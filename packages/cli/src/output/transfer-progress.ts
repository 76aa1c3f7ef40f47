import type { SpanEvent } from "@ovault/contract";

import { formatBytes, formatDuration } from "@ovault/operations";
import { RateMeter } from "./rate-meter.ts";

/** The progress of a run at one moment. */
export interface ProgressLine {
  readonly label: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Recent rate in bytes per second, without zeroes and unchanged ranges. */
  readonly bytesPerSecond: number;
  /** Undefined while unknown. */
  readonly remainingMs: number | undefined;
}

/** Sums the events of one run, over all its disks. */
export class TransferProgress {
  readonly #label: string;
  readonly #now: () => number;
  readonly #disks = new Map<string, SpanEvent>();
  readonly #moved = new RateMeter();
  readonly #done = new RateMeter();
  #announcedBytes: number;

  /** `totalBytes`: logical size of all disks, where known beforehand. `now` in ms, from any origin. */
  constructor(label: string, totalBytes = 0, now: () => number = () => performance.now()) {
    this.#label = label;
    this.#announcedBytes = totalBytes;
    this.#now = now;
  }

  /** `bytes`: logical size of all disks. */
  announce(bytes: number): void {
    this.#announcedBytes = bytes;
  }

  add(event: SpanEvent): void {
    this.#disks.set(event.diskId, event);
    const at = this.#now();
    this.#moved.sample(
      at,
      this.#sum(({ readBytes }) => readBytes),
    );
    this.#done.sample(
      at,
      this.#sum(({ doneBytes }) => doneBytes),
    );
  }

  get line(): ProgressLine {
    const doneBytes = this.#sum((event) => event.doneBytes);
    const totalBytes = Math.max(
      this.#announcedBytes,
      this.#sum(({ logicalBytes }) => logicalBytes),
    );
    const perSecond = this.#done.perSecond;
    return {
      label: this.#label,
      doneBytes,
      totalBytes,
      bytesPerSecond: this.#moved.perSecond,
      remainingMs: perSecond > 0 ? ((totalBytes - doneBytes) / perSecond) * 1000 : undefined,
    };
  }

  #sum(value: (event: SpanEvent) => number): number {
    return [...this.#disks.values()].reduce((sum, event) => sum + value(event), 0);
  }
}

/** `web01  42 %  1.2 GiB of 3 GiB  512 MiB/s  0:03 left` */
export function formatProgress({ label, doneBytes, totalBytes, bytesPerSecond, remainingMs }: ProgressLine): string {
  const percent = totalBytes === 0 ? 0 : Math.floor((doneBytes / totalBytes) * 100);
  const parts = [
    label,
    `${String(percent).padStart(3)} %`,
    `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    `${formatBytes(bytesPerSecond)}/s`,
  ];
  if (remainingMs !== undefined) parts.push(`${formatDuration(remainingMs)} left`);
  return parts.join("  ");
}
