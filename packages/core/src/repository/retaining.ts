/** The option of a put that shall hold its object until then, if at all. */
export function retaining(retainUntil: Date | undefined): { readonly retainUntil?: Date } {
  return retainUntil === undefined ? {} : { retainUntil };
}
