import type { VerifyAmount, VerifyProgress } from "./verify-report.ts";

const NOTHING: VerifyAmount = { packs: 0, storedBytes: 0, points: 0 };

/** What a verification has read, of what it is going to read. Reports every change. */
export class VerifyCounts {
  readonly #proved: Pick<VerifyProgress, "chunks" | "bytes">;
  readonly #onProgress: ((progress: VerifyProgress) => void) | undefined;
  #done = NOTHING;
  #total = NOTHING;

  constructor(
    proved: Pick<VerifyProgress, "chunks" | "bytes">,
    onProgress: ((progress: VerifyProgress) => void) | undefined,
  ) {
    this.#proved = proved;
    this.#onProgress = onProgress;
  }

  get done(): VerifyAmount {
    return this.#done;
  }

  expectPacks(sizes: readonly number[]): void {
    const storedBytes = sizes.reduce((sum, bytes) => sum + bytes, 0);
    this.#total = { ...this.#total, packs: sizes.length, storedBytes };
  }

  expectPoints(points: number): void {
    this.#total = { ...this.#total, points };
  }

  pack(storedBytes: number): void {
    const { packs, storedBytes: before } = this.#done;
    this.#done = { ...this.#done, packs: packs + 1, storedBytes: before + storedBytes };
    this.report();
  }

  point(): void {
    this.#done = { ...this.#done, points: this.#done.points + 1 };
    this.report();
  }

  /** Call it when more chunks were proved. */
  report(): void {
    const { chunks, bytes } = this.#proved;
    this.#onProgress?.({ chunks, bytes, ...this.#done, total: this.#total });
  }
}
