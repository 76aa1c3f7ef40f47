import { createHash } from "node:crypto";

/** Enough for what a client can have under way on all of its connections. */
const MOST_REPLIES = 1024;
const MOST_CLIENTS = 256;

type Reply = Promise<readonly Uint8Array[]>;

/**
 * Replies to calls that must not be carried out twice. A client repeats a call, with its old number, after a connection
 * broke: it gets the first reply, or waits for it. Numbers return after 2^32 calls or a client's restart, so the
 * arguments are compared as well. Each client has a share of its own, which no other can fill.
 */
export class ReplyCache {
  /** By address; the client that called last is the last. */
  readonly #clients = new Map<string, Map<string, Reply>>();

  /** @param call its number, program and procedure; not the credentials, which hold the time of each attempt */
  async once(address: string, call: string, args: Uint8Array, carryOut: () => Reply): Reply {
    const replies = this.#clients.get(address) ?? new Map<string, Reply>();
    this.#clients.delete(address);
    this.#clients.set(address, replies);
    dropOldest(this.#clients, MOST_CLIENTS);
    const key = `${call} ${createHash("sha1").update(args).digest("base64")}`;
    const known = replies.get(key);
    if (known !== undefined) return await known;
    const reply = carryOut();
    replies.set(key, reply);
    dropOldest(replies, MOST_REPLIES);
    try {
      return await reply;
    } catch (error) {
      replies.delete(key);
      throw error;
    }
  }
}

function dropOldest(entries: Map<string, unknown>, most: number): void {
  for (const oldest of entries.keys()) {
    if (entries.size <= most) break;
    entries.delete(oldest);
  }
}
