import { type ObjectStore, type Clock, systemClock } from "@ovault/contract";
import { ByteRate } from "./byte-rate.ts";
import { delegate } from "./around-calls.ts";
import { totalBytes } from "./total-bytes.ts";

/** Bytes per second over all calls together; no limit without a rate. */
export interface TransferRates {
  readonly uploadBytesPerSecond?: number | undefined;
  readonly downloadBytesPerSecond?: number | undefined;
}

/**
 * Lets objects through no faster than the rates. A call waits before it is made; only an object fetched whole, whose
 * size is not known before, is held back after it has arrived. Small calls overtake large ones, so lease renewals are
 * not delayed by pack uploads.
 */
export function throttled(store: ObjectStore, rates: TransferRates, clock: Clock = systemClock): ObjectStore {
  const rateOf = (bytesPerSecond: number | undefined): ByteRate | undefined =>
    bytesPerSecond === undefined ? undefined : new ByteRate(bytesPerSecond, clock);
  const upload = rateOf(rates.uploadBytesPerSecond);
  const download = rateOf(rates.downloadBytesPerSecond);
  return {
    ...delegate(store),
    async put(key, parts, options) {
      await upload?.take(totalBytes(parts), options.signal);
      return await store.put(key, parts, options);
    },
    async get(key, options) {
      const { range, signal } = options;
      if (range !== undefined) await download?.take(range.length, signal);
      const bytes = await store.get(key, options);
      if (range === undefined) await download?.take(bytes.byteLength, signal);
      return bytes;
    },
  };
}
