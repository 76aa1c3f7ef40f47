import * as fc from "fast-check";
import { expect, test } from "vitest";

import { parseDomainMetadata } from "../src/domain-metadata.ts";
import { StorageDomainError } from "../src/errors.ts";
import { volumeLease } from "../src/volume-lease.ts";
import { formatVolumeMetadata, parseVolumeMetadata, type VolumeMetadata } from "../src/volume-metadata.ts";
import { volume } from "./support/made-domain.ts";

const DOMAIN = `ALIGNMENT=1048576
BLOCK_SIZE=512
CLASS=Data
DESCRIPTION=instant-restore
IOOPTIMEOUTSEC=10
LEASERETRIES=3
LEASETIMESEC=60
LOCKPOLICY=
LOCKRENEWALINTERVALSEC=5
POOL_UUID=
REMOTE_PATH=10.0.0.5:/exports/ir1
ROLE=Regular
SDUUID=6f3b1a52-0c7e-4e0b-9a7d-2f8f1b0c9d11
TYPE=NFS
VERSION=5
_SHA_CKSUM=1923d56ad4dfa1426d26d0fc8585d6167734a57b
`;

test("the metadata of a domain are read, and their checksum is vdsm's", () => {
  expect(parseDomainMetadata(DOMAIN, "metadata")).toEqual({
    id: "6f3b1a52-0c7e-4e0b-9a7d-2f8f1b0c9d11",
    class: "data",
    version: 5,
    description: "instant-restore",
    storageType: "NFS",
    poolIds: [],
    blockBytes: 512,
  });
});

test("a domain whose metadata were changed without their checksum is refused, whatever was changed", () => {
  const lines = DOMAIN.trimEnd().split("\n").slice(0, -1);
  fc.assert(
    fc.property(fc.nat(lines.length - 1), fc.stringMatching(/^[A-Za-z0-9]{1,8}$/), (index, added) => {
      const changed = DOMAIN.replace(`${lines[index]}\n`, `${lines[index]}${added}\n`);
      expect(() => parseDomainMetadata(changed, "metadata")).toThrow(/does not match its checksum/);
    }),
  );
});

test("a description with other letters than ASCII is shown as it was typed", () => {
  const text = DOMAIN.replace("instant-restore", "Caf&#233; &#128190;").replace(/_SHA_CKSUM=.*\n/, "");
  expect(parseDomainMetadata(text, "metadata").description).toBe("Café 💾");
});

test("a domain of a format that came later is refused with its version", () => {
  const text = DOMAIN.replace("VERSION=5", "VERSION=6").replace(/_SHA_CKSUM=.*\n/, "");
  expect(() => parseDomainMetadata(text, "metadata")).toThrow(
    expect.objectContaining({ code: "E_STORAGE_DOMAIN", context: { version: "6", known: 5 } }),
  );
});

test("the lease of a volume is byte for byte what sanlock writes", () => {
  const lease = Buffer.from(volumeLease("6f3b1a52-0c7e-4e0b-9a7d-2f8f1b0c9d11", "SDM"));
  expect(lease.length).toBe(1024 * 1024);
  expect(lease.readUInt32LE(168)).toBe(0xb8b0862d);
  expect(lease.toString("latin1", 104, 107)).toBe("SDM");
  expect(lease.readUInt32LE(512)).toBe(0x08292011);
});

const anyVolume: fc.Arbitrary<VolumeMetadata> = fc.record({
  domainId: fc.uuid(),
  imageId: fc.uuid(),
  parentId: fc.option(fc.uuid(), { nil: undefined }),
  capacityBytes: fc.nat(2 ** 31 - 1).map((sectors) => sectors * 512),
  format: fc.constantFrom("raw", "cow"),
  sparse: fc.boolean(),
  role: fc.constantFrom("leaf", "internal", "shared"),
  legality: fc.constantFrom("legal", "illegal", "fake"),
  diskType: fc.constantFrom("DATA", "OVFS"),
  description: fc.stringMatching(/^[!-~]{0,60}$/),
  createdAt: fc.nat(4_000_000_000).map((seconds) => new Date(seconds * 1000)),
});

test("what is written about a volume is read as it was, in domains of every version", () => {
  fc.assert(
    fc.property(anyVolume, fc.constantFrom(0, 3, 4, 5), (described, version) => {
      expect(parseVolumeMetadata(formatVolumeMetadata(described, version), "volume")).toEqual(described);
    }),
  );
});

test("older domains count sectors, newer ones bytes", () => {
  expect(formatVolumeMetadata(volume(), 3)).toContain("\nSIZE=2048\n");
  expect(formatVolumeMetadata(volume(), 5)).toContain("CAP=1048576\n");
  expect(formatVolumeMetadata(volume(), 5)).toMatch(/\nEOF\n$/);
});

test.each([
  ["a volume of unknown format", ["FORMAT=RAW", "FORMAT=VMDK"]],
  ["a negative size", ["CAP=1048576", "CAP=-512"]],
  ["a size past what numbers hold", ["CAP=1048576", "CAP=99999999999999999999"]],
  ["a parent that leads elsewhere", [/PUUID=.*/, "PUUID=../../etc"]],
  ["a word that objects have anyway", ["VOLTYPE=LEAF", "VOLTYPE=constructor"]],
] as const)("%s is refused", (_, [before, after]) => {
  const text = formatVolumeMetadata(volume(), 5).replace(before, after);
  expect(() => parseVolumeMetadata(text, "volume")).toThrow(StorageDomainError);
});

test("a text of another machine cannot add lines of its own", () => {
  expect(() => formatVolumeMetadata(volume({ description: "a\nLEGALITY=ILLEGAL" }), 5)).toThrow(/line break/);
});

test("a description that is too long is cut between characters", () => {
  const text = formatVolumeMetadata(volume({ description: "é".repeat(150) }), 5);
  expect(parseVolumeMetadata(text, "volume").description).toBe("é".repeat(105));
});
