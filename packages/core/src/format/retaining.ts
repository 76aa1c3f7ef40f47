export const DAY_MS = 24 * 60 * 60 * 1000;

/** Until when what is put now shall be held by the store; undefined when it shall not. */
export function retentionEnd(lockDays: number | undefined): Date | undefined {
  return lockDays === undefined ? undefined : new Date(Date.now() + lockDays * DAY_MS);
}

/** The option of a put that shall hold its object until then, if at all. */
export function retaining(retainUntil: Date | undefined): { readonly retainUntil?: Date } {
  return retainUntil === undefined ? {} : { retainUntil };
}
