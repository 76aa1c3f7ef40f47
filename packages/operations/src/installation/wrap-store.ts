import { ConfigurationError, messageOf, type ObjectStore } from "@ovault/contract";
import { DEFAULT_RETRIES, limited, Outage, readOnly, retrying, throttled, type DestinationEntry } from "@ovault/core";

import { formatDuration } from "../text/format.ts";

/**
 * Wraps a driver as the settings of its destination require. From outside in:
 *
 * - `readOnly` refuses at once: a forbidden call neither waits nor is repeated.
 * - `retrying` encloses everything that waits, so that a pause between two attempts holds no slot, and each attempt
 * pays for its bytes.
 * - `throttled` is outside the limit: a call that waits for its share of the rate holds no slot, and small calls, such
 * as lease renewals, overtake waiting packs.
 * - `limited` counts the calls that the service really sees at once.
 * - `observe` is next to the driver: it sees each attempt, and the time the service took.
 *
 * `note` gets a line when a wait for the destination begins, and one when it ends.
 * @throws ConfigurationError when the driver does not support a setting
 */
export function wrapStore(
  driver: ObjectStore,
  { name, settings, origin }: DestinationEntry,
  { observe, note }: { readonly observe: (store: ObjectStore) => ObjectStore; readonly note: (line: string) => void },
): ObjectStore {
  const { limits = {}, lockDays, patience = DEFAULT_RETRIES.patienceMs } = settings;
  if (lockDays !== undefined && driver.retention === undefined) {
    throw new ConfigurationError(`destination ${name} cannot hold what is stored against deletion`, {
      context: { file: origin.file, destination: name },
      hint: `Take destinations.${name}.lockDays away, or set up object lock where the destination has it (S3).`,
    });
  }
  let store = observe(driver);
  if (limits.concurrency !== undefined) store = limited(store, limits.concurrency);
  store = throttled(store, { uploadBytesPerSecond: limits.upload, downloadBytesPerSecond: limits.download });
  const outage = new Outage({
    begins: (error, patienceMs) =>
      note(`${name}: ${messageOf(error)}; trying again for up to ${formatDuration(patienceMs)}`),
    ends: (afterMs) => note(`${name}: goes on after ${formatDuration(afterMs)}`),
  });
  store = retrying(store, { policy: { ...DEFAULT_RETRIES, patienceMs: patience }, outage });
  return settings.readOnly === true ? readOnly(store, `destinations.${name}.readOnly in ${origin.file}`) : store;
}
