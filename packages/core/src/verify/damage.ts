import { IntegrityError } from "@ovault/contract";

/** Something that cannot be restored intact. */
export interface Damage {
  /** Id of the point, or null for an object that was checked apart from points. */
  readonly point: string | null;
  readonly disk: string | null;
  /** On the disk, in bytes; null when the whole disk or object is damaged. */
  readonly offset: number | null;
  /** In bytes, from `offset`. */
  readonly length: number | null;
  readonly reason: string;
}

/** Damage to an object of the repository. */
export function objectDamage(reason: string): Damage {
  return { point: null, disk: null, offset: null, length: null, reason };
}

/** The message of an IntegrityError; rethrows any other error. */
export async function failureOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof IntegrityError) return error.message;
    throw error;
  }
}
