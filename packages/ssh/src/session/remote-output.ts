/** Collects output up to a limit, beyond which it keeps the last part alone. */
export class RemoteOutput {
  readonly #mostBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #exceeded = false;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  get exceeded(): boolean {
    return this.#exceeded;
  }

  get text(): string {
    return Buffer.concat(this.#pieces).toString();
  }

  add(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes <= this.#mostBytes) return;
    this.#exceeded = true;
    const kept = Buffer.concat(this.#pieces).subarray(-this.#mostBytes);
    this.#pieces = [kept];
    this.#bytes = kept.length;
  }
}
