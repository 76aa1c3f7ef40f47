/** Memory that is used again and again on one thread, so that the kernel does not have to clear new pages each time. */
export class Scratch {
  #memory = new ArrayBuffer(0);

  /** So many bytes, of any content. What was taken before is overwritten. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    if (this.#memory.byteLength < bytes) this.#memory = new ArrayBuffer(bytes);
    return new Uint8Array(this.#memory, 0, bytes);
  }
}
