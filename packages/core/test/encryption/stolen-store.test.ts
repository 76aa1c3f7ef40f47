import { createHash, randomUUID } from "node:crypto";

import * as fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";

import { processIdentity } from "@ovault/contract";
import { machineLease, type Repository, type RepositorySecret } from "@ovault/core";
import { arbitraryDisk, MemoryStore, type ModelDisk, sourceOf } from "@ovault/testkit";
import { newKeyFile, smallEncrypted } from "@ovault/test-support/repository/encrypted-repository";
import { never, takePoint, vmOf } from "@ovault/test-support/repository/take-point";

import { acquireLease } from "../../src/leases/lease.ts";
import { plainProtection } from "../../src/format/protection.ts";

/** Every block holds the same marker, and the first two are the same. */
const MARKER = "the salaries of all employees, strictly confidential";
const bytes = Buffer.alloc(8192, MARKER);
bytes.copy(bytes, 1024, 0, 1024);
const disk: ModelDisk = { bytes, extents: [{ offset: 0, length: bytes.byteLength, kind: "data" }] };

const vm = { id: randomUUID(), name: "payroll-database-01", manager: "headquarters" };
const words = {
  alias: "payroll_Disk1",
  attribute: "cluster-of-the-board",
  document: "<Envelope>payroll topology</Envelope>",
  warning: "the guest agent of payroll did not answer",
  node: "backup-node-of-headquarters",
  runId: randomUUID(),
};

/** All that a repository may hold: data stored twice, manifests with names, leases of a node, index objects. */
async function fullStore(secret: RepositorySecret): Promise<MemoryStore> {
  const store = new MemoryStore();
  const repository = await smallEncrypted(store, secret);
  const { resource } = machineLease(repository.protection, { ...vmOf(), ...vm });
  const holder = { ...processIdentity(), runId: words.runId, node: words.node };
  const lease = await acquireLease(repository.store, {
    resource,
    holder,
    ttlMs: 60_000,
    ifBusy: "refuse",
    signal: never,
  });
  const point = await takePoint(repository, [sourceOf(disk, { id: words.alias })]);
  const again = repository.writer(never, ["data", "pages"]);
  for (let at = 0; at < bytes.byteLength; at += 1024) {
    const block = bytes.subarray(at, at + 1024);
    await again.store("data", await again.idOf(block), block);
  }
  await again.finish();
  const named = {
    ...point,
    id: await repository.points.nextId({ ...vmOf(), ...vm }, new Date(), never),
    vm: { ...point.vm, ...vm, attributes: { cluster: words.attribute } },
    runId: words.runId,
    documents: [{ name: "vm.ovf", mediaType: "text/xml", text: words.document }],
    warnings: [words.warning],
  };
  await repository.points.seal(named, never);
  const stolen = new MemoryStore();
  for (const [key, object] of store.objects) stolen.objects.set(key, object);
  await lease.release();
  return stolen;
}

/** In the clear, as it must be to be of use before there is a key. */
const liesOpen = (key: string): boolean => key === "ovault-repository" || key.startsWith("keys/");

/** All runs of 16 bytes in the objects, headers apart. */
function* pieces(store: MemoryStore): Generator<string> {
  for (const [key, object] of store.objects) {
    if (liesOpen(key)) continue;
    const text = Buffer.from(object).toString("latin1");
    for (let at = 16; at + 16 <= text.length; at += 1) yield text.slice(at, at + 16);
  }
}

describe("a stolen store", () => {
  test("tells no name, id, document, block or digest, in objects or their names", async () => {
    const store = await fullStore(newKeyFile());
    const block = bytes.subarray(0, 1024);
    const digest = createHash("sha256").update(block).digest();
    const needles = [
      ...Object.values(vm),
      ...Object.values(words),
      MARKER.slice(0, 12),
      plainProtection("blake3").folderOf(vm.id),
      plainProtection("blake3")
        .nameOf({ ...vmOf(), ...vm })
        .slice(0, 8),
      digest.toString("hex"),
      digest.toString("latin1"),
      "takenAt",
      "logicalBytes",
      "OVBM",
      "OVAULTIX",
      "ovault point",
      "ovault claim",
      '"pid"',
    ];
    expect([...store.objects.keys()].filter((key) => key.startsWith("leases/")).length).toBeGreaterThan(0);
    for (const [key, object] of store.objects) {
      const text = `${key}\n${Buffer.from(object).toString("latin1")}`;
      for (const needle of needles) {
        const found = text.includes(needle) || text.includes(needle.replaceAll("-", ""));
        expect(found, `${needle} in ${key}`).toBe(false);
      }
    }
  });

  test("holds nothing twice, though blocks and documents are the same", async () => {
    const seen = new Set<string>();
    for (const piece of pieces(await fullStore(newKeyFile()))) {
      expect(seen.has(piece)).toBe(false);
      seen.add(piece);
    }
  });

  test("has nothing in common with another one of the same content and the same secret", async () => {
    const secret = newKeyFile();
    const [one, other] = [await fullStore(secret), await fullStore(secret)];
    const seen = new Set(pieces(one));
    for (const piece of pieces(other)) expect(seen.has(piece)).toBe(false);
    const names = new Set([...one.objects.keys()].flatMap((key) => key.split("/")));
    const shared = [...other.objects.keys()].flatMap((key) => key.split("/")).filter((name) => names.has(name));
    // Folders, and the numbers of leases.
    const common = ["00000001", "index", "keys", "leases", "ovault-repository", "packs", "points"];
    expect([...new Set(shared)].filter((name) => name.length > 2).toSorted()).toEqual(common);
  });
});

describe("nonces", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test("never come twice under one key, however many lanes write", async () => {
    let seals = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryDisk(6), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 8 }),
        async (disks, lanes) => {
          const repository = await smallEncrypted(new MemoryStore(), newKeyFile(), { blockBytes: 512 });
          const used = watchNonces(repository);
          const sources = disks.map((one, index) => sourceOf(one, { id: `disk-${index}` }));
          await takePoint(repository, sources, { lanes });
          await takePoint(repository, sources, { lanes });
          expect(new Set(used).size).toBe(used.length);
          seals += used.length;
        },
      ),
      { numRuns: 30 },
    );
    expect(seals).toBeGreaterThan(30);
  });
});

/** Notes what everything in packs is sealed with, by key and nonce, and seals it all the same. */
function watchNonces({ protection }: Repository): readonly string[] {
  const used: string[] = [];
  const packSeal = protection.packSeal.bind(protection);
  vi.spyOn(protection, "packSeal").mockImplementation((name) => {
    const seal = packSeal(name);
    const key = seal.key?.export().toString("hex");
    return {
      version: seal.version,
      overheadBytes: seal.overheadBytes,
      key: seal.key,
      contextOf: (offset) => seal.contextOf(offset),
      refusal: (offset) => seal.refusal(offset),
      open: (offset, stored) => seal.open(offset, stored),
      openDirectory: (place, stored) => seal.openDirectory(place, stored),
      seal(offset, encoded) {
        const { domain, place } = seal.contextOf(offset);
        used.push(`${key} ${domain} ${place}`);
        return seal.seal(offset, encoded);
      },
      sealDirectory(place, entries) {
        used.push(`${key} directory ${place.offset}`);
        return seal.sealDirectory(place, entries);
      },
    };
  });
  return used;
}
