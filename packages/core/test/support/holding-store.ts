import type { ObjectKey, PutOptions } from "@ovault/contract";
import { MemoryStore } from "@ovault/testkit";

/** Remembers until when each object shall be held. */
export class HoldingStore extends MemoryStore {
  readonly held = new Map<ObjectKey, Date | undefined>();

  override async put(key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions) {
    const answer = await super.put(key, parts, options);
    if (answer === "stored") this.held.set(key, options.retainUntil);
    return answer;
  }
}
