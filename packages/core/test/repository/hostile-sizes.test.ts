import { describe, expect, test } from "vitest";

import { hasCode, type ObjectInfo, type ObjectKey, processIdentity } from "@ovault/contract";
import { prune, Repository } from "@ovault/core";
import { InterceptedStore, keysOf, type StoreCall } from "@ovault/testkit";
import { ModelRepository, twoPoints } from "@ovault/test-support/repository/model-repository";
import { never } from "@ovault/test-support/repository/take-point";

import { acquireLease } from "../../src/leases/lease.ts";

const TIB = 2 ** 40;

/** A store in which one object is far larger than memory: reading it whole is the end of the process. */
class SwollenStore extends InterceptedStore {
  swollen: ObjectKey | undefined;
  wasRead = false;

  override async stat(key: ObjectKey, options: { readonly signal: AbortSignal }): Promise<ObjectInfo> {
    return this.#swell(await super.stat(key, options));
  }

  override async *list(prefix: string, options: { readonly signal: AbortSignal }): AsyncGenerator<ObjectInfo> {
    for await (const info of super.list(prefix, options)) yield this.#swell(info);
  }

  protected override async intercept<T>({ kind, key }: StoreCall, work: () => Promise<T>): Promise<T> {
    if (kind === "get" && key === this.swollen) this.wasRead = true;
    return await work();
  }

  #swell(info: ObjectInfo): ObjectInfo {
    return info.key === this.swollen ? { ...info, bytes: TIB } : info;
  }
}

function unlessDamaged(error: unknown): void {
  if (!hasCode(error, "E_INTEGRITY")) throw error;
}

/** What most commands do. Damage may stop each. */
async function useAll(model: ModelRepository, store: SwollenStore): Promise<void> {
  const repository = await model.open(store).catch(unlessDamaged);
  if (repository === undefined) return;
  const { points } = await repository.points.list(never);
  for (const point of points) await repository.points.stateOf(point, never);
  const holder = { runId: "run", ...processIdentity() };
  const options = { resource: "vm-1", holder, ttlMs: 60_000, ifBusy: "refuse", signal: never } as const;
  await acquireLease(repository.store, options).then((lease) => lease.release(), unlessDamaged);
  await prune(repository, { graceMs: 0, signal: never }).catch(unlessDamaged);
}

describe.each([false, true])("whatever object is absurdly large (encrypted: %s)", (encrypted) => {
  test("it is damage, and never read", async () => {
    const origin = await twoPoints({ encrypted });
    for (const swollen of await keysOf(origin.store)) {
      if (swollen.startsWith("packs/")) continue;
      const model = origin.clone();
      const store = new SwollenStore(model.store);
      store.swollen = swollen;
      await useAll(model, store);
      expect({ swollen, wasRead: store.wasRead }).toEqual({ swollen, wasRead: false });
    }
  });
});

test("a repository with absurdly large settings says so", async () => {
  const model = await ModelRepository.create();
  const store = new SwollenStore(model.store);
  store.swollen = "ovault-repository";
  await expect(Repository.open(store, { signal: never })).rejects.toMatchObject({
    code: "E_INTEGRITY",
    context: { key: "ovault-repository", bytes: TIB },
  });
});
