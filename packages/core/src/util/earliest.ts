/** The first of these instants, ISO 8601; null when there is none. */
export function earliest(instants: readonly Date[]): string | null {
  const [first] = instants.toSorted((a, b) => a.getTime() - b.getTime());
  return first?.toISOString() ?? null;
}
