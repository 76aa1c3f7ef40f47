import type { Codec } from "@ovault/contract";
import type { CodecMethod } from "../workers/block-job.ts";
import { decodeInWorker, encodeInWorker } from "../workers/block-workers.ts";

/** A built-in codec: worker threads know its method, and combine it with the other work on a chunk. */
export class BuiltInCodec implements Codec {
  readonly id: number;
  readonly method: CodecMethod;

  constructor(id: number, method: CodecMethod) {
    this.id = id;
    this.method = method;
  }

  get name(): string {
    return this.method.name;
  }

  encode(plain: Uint8Array): Promise<Uint8Array | undefined> {
    return encodeInWorker(this.method, plain);
  }

  decode(stored: Uint8Array, plainBytes: number): Promise<Uint8Array> {
    return decodeInWorker(this.method, stored, plainBytes);
  }
}
