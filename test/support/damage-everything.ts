import type { ModelRepository } from "../../packages/core/test/support/model-repository.ts";

/** Something of everything that a repair puts right, for a repository with two points. */
export function damageEverything({ store: { objects } }: ModelRepository): void {
  const named = (prefix: string): string[] => [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  const bytesOf = (key: string): number => objects.get(key)?.byteLength ?? 0;
  // The first point's packs stay listed: one is missing, one is cut. What the second one added is listed no more.
  const [index = ""] = named("index/").filter((key) => bytesOf(key) < 900);
  objects.set(index, Buffer.from("garbage"));
  const [missing = "", cut = ""] = named("packs/").filter((key) => bytesOf(key) > 1000);
  objects.delete(missing);
  objects.set(cut, Buffer.from(objects.get(cut)?.subarray(0, 900) ?? []));
  for (const prefix of ["checks/", "condemned/"]) for (const key of named(prefix)) objects.set(key, Buffer.from("x"));
}
