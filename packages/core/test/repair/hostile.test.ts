import { createHash } from "node:crypto";

import { beforeEach, describe, expect, test } from "vitest";

import { type GetOptions, type ObjectInfo, OvaultError, type RecoveryPoint } from "@ovault/contract";
import {
  copyPoints,
  lossesOfMarked,
  type Repository,
  repairRepository,
  restoreToTarget,
  verifyPoints,
  verifyRepository,
  verifySample,
} from "@ovault/core";
import { InterceptedStore, type MemoryStore, MemoryTarget, type StoreCall } from "@ovault/testkit";
import { ModelRepository, twoPoints } from "@ovault/test-support/repository/model-repository";
import { never } from "@ovault/test-support/repository/take-point";

import { encodeDocument } from "../../src/format/document.ts";
import { packKey } from "../../src/format/layout.ts";

const MIB = 1024 * 1024;
const NAME = "0123456789abcdef0123456789abcdef";

/** What a writer to the store may put there, with all its digests right. */
const attacks: Readonly<Record<string, (store: MemoryStore, point: RecoveryPoint) => void>> = {
  "an index object that announces more packs than there can be": ({ objects }) => {
    objects.set(
      `index/${NAME}`,
      indexObject((header) => header.writeUInt32LE(0xffff_ffff, 12)),
    );
  },
  "an index object with a pack of more chunks than there can be": ({ objects }) => {
    const listing = Buffer.alloc(28);
    listing.writeUInt8(1, 16);
    listing.writeUInt32LE(0xffff_ffff, 20);
    objects.set(
      `index/${NAME}`,
      indexObject((header) => header.writeUInt32LE(1, 12), listing),
    );
  },
  "an index object with a chunk that claims 4 GiB": ({ objects }) => {
    objects.set(
      `index/${NAME}`,
      indexObject((header) => header.writeUInt32LE(1, 12), listingOf(0xffff_ff00)),
    );
  },
  "a pack whose directory claims more chunks than it holds": ({ objects }) => {
    objects.set(
      packKey(NAME),
      packWith((trailer) => trailer.writeUInt32LE(0xffff_ffff, 0)),
    );
  },
  "a pack whose directory begins before it": ({ objects }) => {
    objects.set(
      packKey(NAME),
      packWith((trailer) => trailer.writeUInt32LE(0, 4)),
    );
  },
  "a manifest of a disk of 8 PiB": ({ objects }, point) => {
    objects.set(keyOf(point), manifest(resized(point, Number.MAX_SAFE_INTEGER)));
  },
  "a manifest with blocks of one byte": ({ objects }, point) => {
    objects.set(keyOf(point), manifest({ ...resized(point, 2 ** 50), blockBytes: 1 }));
  },
  "a manifest with a block map of another disk": ({ objects }, point) => {
    objects.set(keyOf(point), manifest(resized(point, 4 * 2 ** 40)));
  },
  "a manifest that is nested a hundred thousand deep": ({ objects }, point) => {
    const text = JSON.stringify({ ...point, id: point.id, deep: "HERE" });
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const nested = text.replace('"attributes":{}', `"attributes":{"a":${deep}}`).replace('"HERE"', deep);
    objects.set(keyOf(point), textDocument("point", nested));
  },
  "a manifest that is no JSON": ({ objects }, point) => objects.set(keyOf(point), textDocument("point", "{")),
  "a manifest whose id leads up the tree": ({ objects }, point) => {
    objects.set(keyOf(point), manifest({ ...point, id: "../../../../etc/passwd" }));
  },
  "a manifest of another virtual machine": ({ objects }, point) => {
    objects.set(keyOf(point), manifest({ ...point, vm: { ...point.vm, id: "../../vm" } }));
  },
  "a record of damage with names that lead up the tree": ({ objects }) => {
    const places = [{ pack: "../../../../../etc/passwd/xxxxxxx", chunks: ["../".repeat(22).slice(0, 64)] }];
    objects.set(`damage/${NAME}`, encodeDocument("damage", 1, { at: new Date().toISOString(), places }));
  },
  "a mark with ranges that no disk has": ({ objects }, point) => {
    const ranges = [{ offset: Number.MAX_SAFE_INTEGER - 1, length: Number.MAX_SAFE_INTEGER }];
    const disks = point.disks.map(({ disk }) => ({
      disk: disk.id,
      ranges: [{ offset: 0, length: 2 ** 52 }, ...ranges],
    }));
    const folder = keyOf(point).slice("points/".length);
    objects.set(`lost/${folder}/${NAME}`, encodeDocument("lost", 1, { at: new Date().toISOString(), disks }));
  },
  "a record of checks with names that are none": ({ objects }) => {
    const checks = [{ at: "9999-12-31T23:59:59.999Z", packs: ["../".repeat(20)] }];
    objects.set(`checks/${NAME}`, encodeDocument("check", 1, { checks }));
  },
  "records that a newer release wrote": ({ objects }) => {
    for (const type of ["damage", "check", "condemned"]) {
      objects.set(`${type === "check" ? "checks" : type}/${NAME}`, encodeDocument(type, 99, { future: true }));
    }
  },
  "a lease of a run with an absurd time to live": ({ objects }) => {
    const at = new Date().toISOString();
    const claim = { state: "held", token: "x", holder: { runId: "x" }, ttlMs: 1e300, at, expiresAt: at };
    objects.set("leases/vm-x/99999999", encodeDocument("claim", 1, claim));
  },
  "keys that are not keys": ({ objects }) => {
    for (const key of ["points/../x", "packs//", "index/A B", "leases/", "damage/ä", "lost/../../x"]) {
      objects.set(key, Buffer.from("x"));
    }
  },
};

/** Everything that reads what others wrote. What is refused is refused with an error that says so. */
const readers: Readonly<
  Record<string, (repository: Repository, points: readonly RecoveryPoint[]) => Promise<unknown>>
> = {
  "points --long": (repository, points) => lossesOfMarked(repository, points, never),
  verify: (repository, points) => verifyPoints(repository, points, { signal: never }),
  "verify --all": (repository) => verifyRepository(repository, { signal: never }),
  "verify --sample": (repository) => verifySample(repository, { share: 0.5, signal: never }),
  "repair --dry-run": (repository) => repairRepository(repository, { dryRun: true, signal: never }),
  copy: async (from, points) => {
    const to = await (await ModelRepository.create()).open();
    return await copyPoints({ from, to, points, signal: never });
  },
  repair: (repository) => repairRepository(repository, { readData: true, freeDamagedLeases: true, signal: never }),
};

describe.each(Object.entries(attacks))("%s", (_, attack) => {
  let model: ModelRepository;
  let victim: string;
  beforeEach(async () => {
    model = await twoPoints();
    const { points } = await (await model.open()).points.list(never);
    const [point] = points;
    if (point === undefined) throw new Error("no point");
    victim = point.id;
    attack(model.store, point);
  });

  test("costs no memory, no crash, and no other point", async () => {
    const before = heldBytes();
    for (const [name, read] of Object.entries(readers)) {
      const repository = await model.open();
      const { points } = await repository.points.list(never);
      const outcome = await outcomeOf(() => read(repository, points));
      expect(`${name}: ${outcome}`).toBe(`${name}: fine`);
      expect(heldBytes() - before).toBeLessThan(300 * MIB);
    }
    const repository = await model.open();
    const others = (await repository.points.list(never)).points.filter(({ id }) => id !== victim);
    expect(others.length).toBe(1);
    for (const point of others) {
      for (const record of point.disks) {
        const target = new MemoryTarget(record.disk.id, record.stats.logicalBytes);
        await restoreToTarget({ point, record, target, store: repository, taps: [], signal: never });
      }
    }
  });
});

/** Says of some objects that they are huge, and never gives one of them whole. */
class HugeStore extends InterceptedStore {
  readonly #huge: RegExp;

  constructor(store: MemoryStore, huge: RegExp) {
    super(store);
    this.#huge = huge;
  }

  override async *list(...args: Parameters<MemoryStore["list"]>): AsyncGenerator<ObjectInfo> {
    for await (const info of super.list(...args)) yield this.#claimed(info);
  }

  override async stat(...args: Parameters<MemoryStore["stat"]>): Promise<ObjectInfo> {
    return this.#claimed(await super.stat(...args));
  }

  override get(key: string, options: GetOptions): Promise<Uint8Array> {
    if (options.range === undefined && this.#huge.test(key)) throw new RangeError(`${key} does not fit into memory`);
    return super.get(key, options);
  }

  protected override intercept<T>(_: StoreCall, work: () => Promise<T>): Promise<T> {
    return work();
  }

  #claimed(info: ObjectInfo): ObjectInfo {
    return this.#huge.test(info.key) ? { ...info, bytes: 2 ** 40 } : info;
  }
}

test.each(["packs/", "index/", "points/", "checks/", "condemned/", "verdicts/"])(
  "objects below %s that are as large as a disk are not read",
  async (prefix) => {
    const model = await twoPoints();
    const repository = await model.open(new HugeStore(model.store, new RegExp(`^${prefix}`)));
    const { points } = await repository.points.list(never);
    for (const name of ["verify --all", "verify --sample", "repair --dry-run"]) {
      const outcome = await outcomeOf(async () => await readers[name]?.(repository, points));
      expect(`${name}: ${outcome}`).toBe(`${name}: fine`);
    }
  },
);

async function outcomeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "fine";
  } catch (error) {
    return error instanceof OvaultError ? "fine" : String(error);
  }
}

function heldBytes(): number {
  const { heapUsed, arrayBuffers, external } = process.memoryUsage();
  return heapUsed + arrayBuffers + external;
}

function keyOf(point: RecoveryPoint): string {
  return `points/${createHash("sha256").update(point.vm.id).digest("hex").slice(0, 32)}/${point.id}`;
}

function manifest(point: RecoveryPoint): Uint8Array {
  return encodeDocument("point", 1, point);
}

function textDocument(type: string, text: string): Uint8Array {
  const proof = createHash("sha256").update(`${type} 1\n`).update(text).digest("hex");
  return Buffer.from(`ovault ${type} 1 sha256:${proof}\n${text}`);
}

function resized(point: RecoveryPoint, logicalBytes: number): RecoveryPoint {
  const disks = point.disks.map((record) => ({ ...record, stats: { ...record.stats, logicalBytes } }));
  return { ...point, disks };
}

function indexObject(change: (header: Buffer) => void, ...rest: readonly Uint8Array[]): Uint8Array {
  const header = Buffer.alloc(16);
  header.write("OVAULTIX", "latin1");
  header.writeUInt8(1, 8);
  change(header);
  const body = Buffer.concat([header, ...rest]);
  return Buffer.concat([body, createHash("sha256").update(body).digest()]);
}

/** One pack with one chunk that claims so many stored bytes. */
function listingOf(storedBytes: number): Uint8Array {
  const listing = Buffer.alloc(28 + 48);
  listing.write(NAME, 0, "hex");
  listing.writeUInt8(1, 16);
  listing.writeUInt32LE(1, 20);
  listing.writeUInt32LE(0xffff_ffff, 24);
  listing.writeUInt32LE(16, 28 + 32);
  listing.writeUInt32LE(storedBytes, 28 + 36);
  listing.writeUInt32LE(512, 28 + 40);
  return listing;
}

function packWith(change: (trailer: Buffer) => void): Uint8Array {
  const header = Buffer.alloc(16);
  header.write("OVAULTPK", "latin1");
  header.writeUInt8(1, 8);
  header.writeUInt8(1, 9);
  const trailer = Buffer.alloc(48);
  trailer.writeUInt32LE(0, 0);
  trailer.writeUInt32LE(16, 4);
  change(trailer);
  const figures = trailer.subarray(0, 8);
  trailer.set(createHash("sha256").update(header).update(figures).digest(), 8);
  trailer.write("OVAULTPE", 40, "latin1");
  return Buffer.concat([header, trailer]);
}
