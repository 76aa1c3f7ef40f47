import { UsageError, type DiskFormat } from "@ovault/contract";
import { diskStats } from "@ovault/testkit";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { parseXml } from "../src/engine/parse-xml.ts";
import { parseCluster, type Cluster } from "../src/model/cluster.ts";
import { parseVm } from "../src/model/vm.ts";
import { assertMachineName, fittingAlias } from "../src/restore/disks/engine-names.ts";
import { fitCluster } from "../src/restore/design/fit-cluster.ts";
import { layOutDisk } from "../src/restore/disks/disk-layout.ts";
import { Obstacles } from "../src/restore/design/obstacles.ts";
import { roomForDisks } from "../src/restore/design/room-for-disks.ts";
import { refuseTakenMacs } from "../src/restore/design/taken-macs.ts";
import { storageDomain } from "./support/storage-domain.ts";

import type { EngineVersion } from "../src/model/engine-version.ts";
import type { StorageDomain } from "../src/model/storage-domain.ts";
import type { DesignedDisk } from "../src/restore/disks/designed-disk.ts";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const NONE = /^$/;
const X86 = { attributes: { architecture: "x86_64" } };
const PPC = { attributes: { architecture: "ppc64" } };
const UNKNOWN = { attributes: {} };
/** The engine's own rule. */
const ENGINE_RULE = /^[\p{L}0-9._-]*$/u;

function level(text: string): EngineVersion {
  const [major = 0, minor = 0] = text.split(".").map(Number);
  return { major, minor, build: 0, full: text };
}

/** What is thrown; undefined when nothing is. */
function refusalOf(check: () => void): UsageError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
}

/** The rule in the engine's words, 1 to 255 characters. */
function isEngineName(name: string): boolean {
  return name !== "" && name.length <= 255 && ENGINE_RULE.test(name);
}

const domain = (parts: Partial<StorageDomain>): StorageDomain => storageDomain({ id: "d", name: "data", ...parts });

/** 10 GiB, so many of them data. */
function disk(on: StorageDomain, format: DiskFormat, sparse: boolean, dataGib = 1): DesignedDisk {
  const logicalBytes = 10 * GIB;
  const record = {
    disk: {
      id: "1",
      alias: "root",
      index: 0,
      logicalBytes,
      format,
      sparse,
      bootable: true,
      interface: "virtio",
      attributes: {},
    },
    mode: "full" as const,
    reason: "",
    blockMap: null,
    stats: diskStats(logicalBytes, dataGib * 1024),
  };
  return { record, domain: on, layout: layOutDisk(record, MIB, on), placement: {} };
}

function look(disks: readonly DesignedDisk[]) {
  const obstacles = new Obstacles();
  const warnings = roomForDisks(disks, MIB, obstacles);
  return { warnings: warnings.join(), refused: refusalOf(() => obstacles.throwIfAny()) !== undefined };
}

function nic(name: string, mac: string) {
  return { name, mac, linked: true, plugged: true, filters: [] };
}

describe("the name of a machine", () => {
  const anyName = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.stringMatching(/^[a-z0-9._-]{0,300}$/));

  test("is refused exactly where the engine would refuse it, with one that it would take", () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const refusal = refusalOf(() => assertMachineName(name));
        expect(refusal === undefined).toBe(isEngineName(name));
        const [, suggestion = "any"] = /for example (\S+)\.$/.exec(refusal?.hint ?? "") ?? [];
        expect(isEngineName(suggestion)).toBe(true);
      }),
      { examples: [[""], ["web 01 (restored)"], ["a/b"], ["ä-Ö.1_é"], ["-"], ["x".repeat(256)]] },
    );
  });

  test("an alias of a disk becomes one that the engine takes, and stays where it fits", () => {
    fc.assert(
      fc.property(anyName, (alias) => {
        const fitting = fittingAlias(alias);
        expect(isEngineName(fitting)).toBe(true);
        expect(fitting === alias).toBe(isEngineName(alias));
      }),
    );
  });
});

describe("a cluster", () => {
  const cluster: Cluster = { id: "c", name: "old", version: level("4.4"), dataCenterId: "dc", architecture: "x86_64" };
  const ovf = { compatibility: level("4.4"), customCompatibility: undefined };
  const place = { cluster, dataCenter: undefined };

  test("fits a machine of its architecture and level, and one of which neither is known", () => {
    expect(fitCluster(X86, ovf, place)).toEqual([]);
    expect(fitCluster(UNKNOWN, { ...ovf, compatibility: undefined }, place)).toEqual([]);
    expect(fitCluster(X86, { ...ovf, compatibility: level("4.2") }, place)).toEqual([]);
  });

  test("of an engine before 4.0 fits machines of a later one, and the reverse: API version 3 writes X86_64", () => {
    expect(fitCluster({ attributes: { architecture: "X86_64" } }, ovf, place)).toEqual([]);
    const cpu = "<cpu><architecture>X86_64</architecture></cpu>";
    const old = parseCluster(parseXml(`<cluster id="c"><name>old</name>${cpu}</cluster>`));
    expect(fitCluster(X86, { ...ovf, compatibility: undefined }, { ...place, cluster: old })).toEqual([]);
    expect(parseVm(parseXml(`<vm id="v"><name>v</name>${cpu}</vm>`)).architecture).toBe("x86_64");
  });

  test("of another architecture, a lower level than the machine's own, or in a data center that is down, is refused", () => {
    expect(() => fitCluster(PPC, ovf, place)).toThrow(/for ppc64, and cluster old is of x86_64/);
    const custom = { ...ovf, customCompatibility: level("4.7") };
    expect(() => fitCluster(UNKNOWN, custom, place)).toThrow(/of its own, 4\.7, and cluster old is at 4\.4/);
    const down = { id: "dc", name: "dc", status: "maintenance", local: false, version: undefined } as const;
    const dataCenter = { ...down, storageFormat: undefined, quotaMode: undefined };
    expect(() => fitCluster(UNKNOWN, ovf, { cluster, dataCenter })).toThrow(
      /data center dc of cluster old is maintenance/,
    );
  });

  test("of a lower level than the one before is a warning", () => {
    expect(fitCluster(UNKNOWN, { ...ovf, compatibility: level("4.7") }, place)).toEqual([
      expect.stringContaining("settings that are newer get lost"),
    ]);
  });
});

describe("the room of a storage domain", () => {
  test.each<[string, Partial<StorageDomain>, DiskFormat, boolean, boolean, RegExp]>([
    ["what is preallocated must be free", { availableBytes: 9 * GIB }, "raw", false, true, NONE],
    ["what is preallocated fits", { availableBytes: 10 * GIB }, "raw", false, false, NONE],
    [
      "what the engine keeps is not free",
      { availableBytes: 12 * GIB, blockedBelowBytes: 5 * GIB },
      "raw",
      false,
      true,
      NONE,
    ],
    [
      "QCOW2 on block storage starts with its data",
      { availableBytes: GIB, storageType: "fcp" },
      "cow",
      true,
      true,
      NONE,
    ],
    [
      "thin on a file system may compress",
      { availableBytes: GIB / 2 },
      "cow",
      true,
      false,
      /has 0\.5 GiB free, and this needs about 1\.0/,
    ],
    ["thin with a lot of room", { availableBytes: 20 * GIB }, "cow", true, false, NONE],
    ["a domain that does not tell", {}, "raw", false, false, NONE],
    ["a backup domain", { backup: true }, "raw", true, false, /is a backup domain/],
  ])("%s", (_what, parts, format, sparse, refused, warning) => {
    const found = look([disk(domain(parts), format, sparse)]);
    expect(found.refused).toBe(refused);
    expect(found.warnings).toMatch(warning);
  });

  test("is looked at for all disks of a domain together", () => {
    const small = domain({ availableBytes: 15 * GIB });
    expect(look([disk(small, "raw", false)]).refused).toBe(false);
    expect(look([disk(small, "raw", false), disk(small, "raw", false)]).refused).toBe(true);
  });
});

describe("kept addresses", () => {
  test("that a card cannot have, or another machine has, are reported together", () => {
    const other = { name: "web", nics: [{ mac: "56:6F:00:00:00:01" }] } as never;
    const cards = [
      nic("nic1", "56:6f:00:00:00:01"),
      nic("nic2", "01:00:5e:00:00:01"),
      nic("nic3", "x"),
      nic("nic4", "56:6f:00:00:00:02"),
    ];
    const obstacles = new Obstacles();
    refuseTakenMacs(cards, [other], obstacles);
    const message = refusalOf(() => obstacles.throwIfAny())?.message;
    expect(message).toMatch(/3 things .*nic1 is in use by .* web; "01:00:5e:00:00:01" of nic2 .*; "x" of nic3/);
    expect(message).not.toContain("nic4");
  });
});
