import { MOST_PAYLOAD_BYTES } from "./journal-records.ts";
import { PAGE_STATES, type PageRun, type PageStates } from "./page-states.ts";

/** Kinds of payloads: their first byte. */
const RUNS = 1;
const BITS = 2;
/** First page (u48), number of pages (u48), state (u8). */
const RUN_BYTES = 13;
const RUNS_A_PAYLOAD = Math.floor((MOST_PAYLOAD_BYTES - 1) / RUN_BYTES);
/** Kind, and where the bytes belong among those of all states (u48). */
const BITS_HEADER_BYTES = 7;
const BITS_A_PAYLOAD = 64 * 1024;

/** Payloads that say that these pages are in these states, in this order. */
export function* payloadsOfRuns(runs: readonly PageRun[]): Generator<Uint8Array> {
  for (let start = 0; start < runs.length; start += RUNS_A_PAYLOAD) {
    const some = runs.slice(start, start + RUNS_A_PAYLOAD);
    const payload = Buffer.alloc(1 + some.length * RUN_BYTES, RUNS);
    for (const [index, { first, end, state }] of some.entries()) {
      const at = 1 + index * RUN_BYTES;
      payload.writeUIntLE(first, at, 6);
      payload.writeUIntLE(end - first, at + 6, 6);
      payload.writeUInt8(PAGE_STATES.indexOf(state), at + 12);
    }
    yield payload;
  }
}

/** Payloads that say the same as these bits of `PageStates`, of a disk whose pages were all in the base before. */
export function* payloadsOfBits(bits: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bits.length; at += BITS_A_PAYLOAD) {
    const part = bits.subarray(at, at + BITS_A_PAYLOAD);
    if (part.every((byte) => byte === 0)) continue;
    const payload = Buffer.alloc(BITS_HEADER_BYTES + part.length, BITS);
    payload.writeUIntLE(at, 1, 6);
    payload.set(part, BITS_HEADER_BYTES);
    yield payload;
  }
}

/** Changes the states as a payload says. False, and nothing changed, for one that says nothing about this disk. */
export function applyPayload(states: PageStates, payload: Buffer): boolean {
  if (payload[0] === BITS && payload.length > BITS_HEADER_BYTES) {
    const at = payload.readUIntLE(1, 6);
    if (at + payload.length - BITS_HEADER_BYTES > states.bits.length) return false;
    states.bits.set(payload.subarray(BITS_HEADER_BYTES), at);
    return true;
  }
  if (payload[0] !== RUNS || (payload.length - 1) % RUN_BYTES !== 0) return false;
  const runs: PageRun[] = [];
  for (let at = 1; at < payload.length; at += RUN_BYTES) {
    const first = payload.readUIntLE(at, 6);
    const end = first + payload.readUIntLE(at + 6, 6);
    const state = PAGE_STATES[payload.readUInt8(at + 12)];
    if (end > states.pages || state === undefined) return false;
    runs.push({ first, end, state });
  }
  for (const { first, end, state } of runs) states.set(first, end, state);
  return true;
}
