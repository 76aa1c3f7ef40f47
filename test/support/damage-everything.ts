import type { ModelRepository } from "@ovault/test-support/repository/model-repository";

/** Every kind of damage that a repair fixes, for a repository with two points. */
export function damageEverything({ store: { objects } }: ModelRepository): void {
  const bytesOf = (key: string): number => objects.get(key)?.byteLength ?? 0;
  /** The largest first. */
  const named = (prefix: string): string[] =>
    [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted((a, b) => bytesOf(b) - bytesOf(a));
  // The first point's packs stay listed: one is missing, one is cut. What the second one added is listed no more.
  objects.set(named("index/").at(-1) ?? "", Buffer.from("garbage"));
  const [missing = "", cut = ""] = named("packs/");
  objects.delete(missing);
  objects.set(cut, Buffer.from(objects.get(cut)?.subarray(0, 900) ?? []));
  for (const prefix of ["checks/", "condemned/"]) for (const key of named(prefix)) objects.set(key, Buffer.from("x"));
}
