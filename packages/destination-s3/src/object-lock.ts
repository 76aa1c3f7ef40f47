import {
  type CallOptions,
  type ObjectKey,
  type RetentionControl,
  StorePermissionError,
  StoreUnavailableError,
} from "@ovault/contract";

import type { Bucket } from "./bucket.ts";
import { codeOf } from "./map-s3-error.ts";
import type { S3Options } from "./options.ts";
import { atLeast, lockModeOf } from "./upload.ts";

/** Codes for an object that was never held. The first is Amazon's, the second Ceph's. */
const NEVER_HELD = new Set(["NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"]);

/**
 * Ceph 16 checks whether a hold would be shortened, then sets it: of two concurrent holds on one object the shorter one
 * can win. So `ObjectLock` reads the result and sets it again if needed.
 */
const ATTEMPTS = 4;

type Mode = "GOVERNANCE" | "COMPLIANCE";

/** An object in the bucket: one version of it, or the newest. */
export interface ObjectVersionName {
  readonly name: string;
  readonly version?: string;
}

export interface Hold {
  readonly mode: Mode;
  readonly until: Date;
}

/** The current hold of an object; `undefined` when there is none. @throws ObjectNotFoundError */
export async function holdOn(
  bucket: Bucket,
  { name, version }: ObjectVersionName,
  signal: AbortSignal,
): Promise<Hold | undefined> {
  try {
    const { Retention } = await bucket.call({ what: `ask how long ${name} is held`, signal }, (client, options) =>
      client.getObjectRetention({ Bucket: bucket.name, Key: name, VersionId: version }, options),
    );
    const { Mode: mode, RetainUntilDate: until } = Retention ?? {};
    return mode === undefined || until === undefined || until.getTime() <= Date.now() ? undefined : { mode, until };
  } catch (error) {
    if (NEVER_HELD.has(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** Object lock, one object at a time. */
export class ObjectLock implements RetentionControl {
  readonly #bucket: Bucket;
  readonly #mode: Mode;

  constructor(bucket: Bucket, lock: NonNullable<S3Options["objectLock"]>) {
    this.#bucket = bucket;
    this.#mode = lockModeOf(lock);
  }

  async extend(key: ObjectKey, until: Date, { signal }: CallOptions): Promise<void> {
    const name = this.#bucket.nameOf(key);
    let hold = await holdOn(this.#bucket, { name }, signal);
    for (let attempt = 1; !reaches(hold, until); attempt += 1) {
      if (attempt > ATTEMPTS)
        throw new StoreUnavailableError(
          `${name} is not held until ${until.toISOString()}, though the service said so`,
          {
            hint: "Find out what else sets the retention of this object, then run the command again.",
          },
        );
      const refused = await this.#hold(name, { mode: hold?.mode ?? this.#mode, until }, signal);
      hold = await holdOn(this.#bucket, { name }, signal);
      if (refused !== undefined && !reaches(hold, until)) throw refused;
    }
  }

  /** The refusal, if any: services do not shorten a hold, and another client may have set a longer one meanwhile. */
  async #hold(name: string, { mode, until }: Hold, signal: AbortSignal): Promise<StorePermissionError | undefined> {
    try {
      await this.#bucket.call({ what: `hold ${name}`, signal }, (client, options) =>
        client.putObjectRetention(
          {
            Bucket: this.#bucket.name,
            Key: name,
            // Compliance cannot be revoked and need not be: an object keeps the mode of its hold.
            Retention: { Mode: mode, RetainUntilDate: atLeast(until) },
          },
          options,
        ),
      );
      return undefined;
    } catch (error) {
      if (error instanceof StorePermissionError) return error;
      throw error;
    }
  }

  async heldUntil(key: ObjectKey, { signal }: CallOptions): Promise<Date | undefined> {
    return (await holdOn(this.#bucket, { name: this.#bucket.nameOf(key) }, signal))?.until;
  }
}

function reaches(hold: Hold | undefined, until: Date): boolean {
  return (hold?.until.getTime() ?? Date.now()) >= until.getTime();
}
