/** More than any banner; the noise of a shell that prints for ever must not fill the memory. */
const MOST_NOISE_BYTES = 1024 * 1024;

/** Passes on what follows the line `mark`, and holds back what the login shell prints before it. */
export class AfterMark {
  readonly #mark: Buffer;
  readonly #passOn: (bytes: Buffer) => void;
  #noise: Buffer = Buffer.alloc(0);
  #found = false;

  constructor(mark: string, passOn: (bytes: Buffer) => void) {
    this.#mark = Buffer.from(`${mark}\n`);
    this.#passOn = passOn;
  }

  get found(): boolean {
    return this.#found;
  }

  /** The last of what came before the mark. */
  get noise(): Buffer {
    return this.#noise;
  }

  add(bytes: Buffer): void {
    if (this.#found) return this.#passOn(bytes);
    const held = Buffer.concat([this.#noise, bytes]);
    const at = held.indexOf(this.#mark);
    this.#found = at >= 0;
    this.#noise = held.subarray(0, this.#found ? at : undefined).subarray(-MOST_NOISE_BYTES);
    const rest = this.#found ? held.subarray(at + this.#mark.length) : held.subarray(held.length);
    if (rest.length > 0) this.#passOn(rest);
  }
}
