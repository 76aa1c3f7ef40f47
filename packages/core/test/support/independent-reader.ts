import { createDecipheriv, createHmac, hkdfSync, scryptSync } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";

import { blake3 } from "@noble/hashes/blake3.js";

/** The objects of a store, by key. */
export type Objects = ReadonlyMap<string, Uint8Array>;
export type PlainSecret = { readonly passphrase: string } | { readonly keyFile: Uint8Array };

/** One disk of one point, as docs/repository-format.md says. */
export interface ReadDisk {
  readonly vm: string;
  readonly bytes: Buffer;
}

interface Place {
  readonly pack: string;
  readonly offset: number;
  readonly storedBytes: number;
  readonly codec: number;
}

interface Manifest {
  readonly vm: { readonly id: string; readonly name: string };
  readonly blockBytes: number;
  readonly disks: readonly { readonly blockMap: string | null; readonly stats: { readonly logicalBytes: number } }[];
}

/**
 * Reads an encrypted repository by its specification alone: it shares no code with ovault. Knows the codecs none and zstd, and
 * maps of one page.
 */
export function readWithoutOvault(objects: Objects, secret: PlainSecret): readonly ReadDisk[] {
  const master = unlock(objects, secret);
  const places = new Map<string, Place>();
  for (const [key, object] of objects) if (key.startsWith("index/")) readIndex(unsealed(master, key, object), places);
  const chunk = (id: string): Buffer => readChunk(objects, master, id, places.get(id));
  const manifests = [...objects].filter(([key]) => key.startsWith("points/"));
  return manifests.flatMap(([key, object]) => {
    const { vm, disks, blockBytes } = bodyOf<Manifest>(unsealed(master, key, object));
    const folder = mac(derive(master, "name"), vm.id).toString("hex").slice(0, 32);
    if (key.split("/")[1] !== folder) throw new Error(`${key} is in another folder than ${folder}`);
    return disks.map(({ blockMap, stats }) => {
      const bytes = Buffer.alloc(stats.logicalBytes);
      if (blockMap === null) return { vm: vm.name, bytes };
      for (const [block, id] of entriesOf(chunk(blockMap))) chunk(id).copy(bytes, block * blockBytes);
      return { vm: vm.name, bytes };
    });
  });
}

function unlock(objects: Objects, secret: PlainSecret): Buffer {
  const settings = bodyOf<{
    id: string;
    blockBytes: number;
    createdAt: string;
    digest: string;
    encryption: { mac: string };
  }>(Buffer.from(objects.get("ovault-repository") ?? []));
  for (const [key, object] of objects) {
    if (!key.startsWith("keys/")) continue;
    const { derivation, wrapped } = bodyOf<{
      derivation: { name: string; salt: string; N: number; r: number; p: number };
      wrapped: string;
    }>(Buffer.from(object));
    const { name, N, r, p } = derivation;
    const salt = Buffer.from(derivation.salt, "base64");
    let wrapping: Buffer;
    if (name === "scrypt" && "passphrase" in secret) {
      wrapping = scryptSync(secret.passphrase.normalize("NFC"), salt, 32, { N, r, p, maxmem: 2 ** 29 });
    } else if (name === "hkdf" && "keyFile" in secret) {
      wrapping = Buffer.from(hkdfSync("sha256", secret.keyFile, salt, "ovault key file", 32));
    } else continue;
    const master = decrypt(wrapping, Buffer.alloc(12), Buffer.from(wrapped, "base64"));
    const { id, blockBytes, createdAt, digest, encryption } = settings;
    const proof = mac(derive(master, "settings"), [id, blockBytes, createdAt, "aes-256-gcm", digest].join("\n"));
    if (proof.toString("hex") !== encryption.mac) throw new Error("the settings are not proved");
    return master;
  }
  throw new Error("no key fits");
}

function readIndex(index: Buffer, places: Map<string, Place>): void {
  let at = 16;
  for (let packs = index.readUInt32LE(12); packs > 0; packs -= 1) {
    const pack = index.toString("hex", at, at + 16);
    const count = index.readUInt32LE(at + 20);
    at += 28;
    for (const end = at + count * 48; at < end; at += 48) {
      places.set(index.toString("hex", at, at + 32), {
        pack,
        offset: index.readUInt32LE(at + 32),
        storedBytes: index.readUInt32LE(at + 36),
        codec: index.readUInt8(at + 44),
      });
    }
  }
}

function readChunk(objects: Objects, master: Buffer, id: string, place: Place | undefined): Buffer {
  if (place === undefined) throw new Error(`no chunk ${id}`);
  const { pack, offset, storedBytes, codec } = place;
  const object = Buffer.from(objects.get(`packs/${pack.slice(0, 2)}/${pack}`) ?? []);
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(BigInt(offset), 4);
  const stored = decrypt(derive(master, `pack ${pack}`), nonce, object.subarray(offset, offset + storedBytes));
  const plain = codec === 0 ? stored : zstdDecompressSync(stored);
  if (Buffer.from(blake3(plain, { key: derive(master, "chunk") })).toString("hex") !== id)
    throw new Error(`chunk ${id} is another`);
  return plain;
}

/** Present entries of a leaf: block and id. */
function* entriesOf(page: Buffer): Generator<readonly [block: number, id: string]> {
  const count = page.readUInt16LE(6);
  let at = 8 + Math.ceil(count / 8);
  for (let entry = 0; entry < count; entry += 1) {
    if ((page.readUInt8(8 + (entry >> 3)) & (1 << (entry & 7))) === 0) continue;
    yield [entry, page.toString("hex", at, at + 32)];
    at += 32;
  }
}

function unsealed(master: Buffer, key: string, object: Uint8Array): Buffer {
  const bytes = Buffer.from(object);
  const aad = Buffer.concat([bytes.subarray(0, 16), Buffer.from(key)]);
  return decrypt(derive(master, "document", bytes.subarray(16, 48)), Buffer.alloc(12), bytes.subarray(48), aad);
}

function bodyOf<T>(document: Buffer): T {
  const value: T = JSON.parse(document.toString("utf8", document.indexOf("\n")));
  return value;
}

function derive(master: Buffer, purpose: string, salt: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.from(hkdfSync("sha256", master, salt, `ovault ${purpose}`, 32));
}

function mac(key: Buffer, data: string | Uint8Array): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

function decrypt(key: Buffer, nonce: Uint8Array, sealed: Buffer, aad?: Buffer): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce);
  if (aad !== undefined) decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
}
