/** Memory that one thread uses again and again, so that the kernel does not have to clear new pages each time. */
export class Scratch {
  #memory = new ArrayBuffer(0);

  /** This many bytes, of any content. Overwrites what was taken before. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    if (this.#memory.byteLength < bytes) this.#memory = new ArrayBuffer(bytes);
    return new Uint8Array(this.#memory, 0, bytes);
  }
}
