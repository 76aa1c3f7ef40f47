export const DAY_MS = 24 * 60 * 60 * 1000;

/** Until when the store shall lock an object that is put now; undefined for no lock. */
export function retentionEnd(lockDays: number | undefined): Date | undefined {
  return lockDays === undefined ? undefined : new Date(Date.now() + lockDays * DAY_MS);
}

/** The put option that locks the object until then; empty for no lock. */
export function retaining(retainUntil: Date | undefined): { readonly retainUntil?: Date } {
  return retainUntil === undefined ? {} : { retainUntil };
}
