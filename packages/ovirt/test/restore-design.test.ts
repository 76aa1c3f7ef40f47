import { UsageError, type DiskFormat, type DiskRecord } from "@ovault/contract";
import { diskStats } from "@ovault/testkit";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { chooseStorageDomain } from "../src/restore/design/choose-place.ts";
import { layOutDisk } from "../src/restore/disks/disk-layout.ts";
import { Obstacles } from "../src/restore/design/obstacles.ts";
import { mapNics, refuseUnknownNetworks } from "../src/restore/design/map-nics.ts";
import { storageDomain } from "./support/storage-domain.ts";

import type { Network } from "../src/model/network.ts";
import type { StorageDomain } from "../src/model/storage-domain.ts";
import type { VnicProfile } from "../src/model/vnic-profile.ts";
import type { SavedNic } from "../src/machine/vm-documents.ts";

const MIB = 1024 * 1024;

function domain(name: string, parts: Partial<StorageDomain> = {}): StorageDomain {
  return storageDomain({ id: `id-of-${name}`, name, ...parts });
}

function record(format: DiskFormat, sparse: boolean, dataBlocks = 0): DiskRecord {
  const logicalBytes = 1024 * MIB;
  return {
    disk: {
      id: "disk-1",
      alias: "disk",
      index: 0,
      logicalBytes,
      format,
      sparse,
      bootable: true,
      interface: "virtio",
      attributes: { backup: format === "cow" ? "incremental" : "none" },
    },
    mode: "full",
    reason: "",
    blockMap: null,
    stats: diskStats(logicalBytes, dataBlocks),
  };
}

function network(name: string): Network {
  return { id: `net-${name}`, name, dataCenterId: "dc", vlanId: undefined, usages: [] };
}

function profile(of: string, name: string): VnicProfile {
  return { id: `${of}/${name}`, name, networkId: `net-${of}` };
}

function nic(parts: Partial<SavedNic>): SavedNic {
  return { name: "nic1", linked: true, plugged: true, filters: [], ...parts };
}

describe("the layout of a restored disk", () => {
  const anyRecord = fc.tuple(fc.constantFrom<DiskFormat>("raw", "cow"), fc.boolean(), fc.nat(1024));

  test("thin stays thin on every kind of storage, and the engine accepts it", () => {
    fc.assert(
      fc.property(anyRecord, fc.constantFrom("nfs", "iscsi", "fcp"), ([format, sparse, blocks], storageType) => {
        const layout = layOutDisk(record(format, sparse, blocks), MIB, domain("d", { storageType }));
        expect(layout.sparse).toBe(sparse);
        const block = storageType !== "nfs";
        expect(layout.format === "raw" && layout.sparse && block).toBe(false);
        expect(layout.incremental && layout.format === "raw").toBe(false);
      }),
    );
  });

  test("zeros are written exactly where a new disk may hold something else", () => {
    for (const storageType of ["nfs", "iscsi"]) {
      const on = domain("d", { storageType });
      expect(layOutDisk(record("raw", false), MIB, on).writeZeros).toBe(true);
      expect(layOutDisk(record("cow", true), MIB, on).writeZeros).toBe(false);
      expect(layOutDisk(record("raw", true), MIB, on).writeZeros).toBe(false);
    }
  });

  test("QCOW2 on block storage starts large enough for its data, because an upload cannot extend it", () => {
    fc.assert(
      fc.property(fc.nat(1024), (blocks) => {
        const layout = layOutDisk(record("cow", true, blocks), MIB, domain("d", { storageType: "iscsi" }));
        expect(layout.initialBytes).toBeGreaterThan(blocks * MIB);
      }),
    );
    expect(layOutDisk(record("cow", true, 9), MIB, domain("d")).initialBytes).toBeUndefined();
  });
});

describe("the storage domain of a restored disk", () => {
  const disk = { alias: "disk", storageDomain: { id: "id-of-old", name: "old" } };

  test("is the one asked for, by name or id, else the one it was on", () => {
    const domains = [domain("old"), domain("new")];
    expect(chooseStorageDomain("new", disk, domains).name).toBe("new");
    expect(chooseStorageDomain("id-of-new", disk, domains).name).toBe("new");
    expect(chooseStorageDomain(undefined, disk, domains).name).toBe("old");
    expect(chooseStorageDomain(undefined, disk, [domain("old", { id: "rebuilt" })]).id).toBe("rebuilt");
  });

  test("must be a data domain that is active", () => {
    const domains = [domain("iso", { type: "iso" }), domain("old", { status: "maintenance" }), domain("good")];
    for (const wanted of ["iso", "old", "nowhere", undefined]) {
      const choice = (): StorageDomain => chooseStorageDomain(wanted, disk, domains);
      expect(choice).toThrow(expect.objectContaining({ code: "E_USAGE", hint: expect.stringMatching(/: good\.$/) }));
    }
  });
});

describe("the networks of a restored machine", () => {
  const target = {
    networks: [network("lan"), network("dmz")],
    profiles: [profile("lan", "lan"), profile("lan", "slow"), profile("dmz", "only")],
  };
  const place = (saved: SavedNic, mapping: Record<string, string> = {}): string | undefined =>
    mapNics([saved], new Map(Object.entries(mapping)), target)[0]?.profileId;

  test("are found by the profile's id, then by network and profile name", () => {
    expect(place(nic({ profileId: "lan/slow", network: "renamed", profile: "renamed" }))).toBe("lan/slow");
    expect(place(nic({ profileId: "elsewhere", network: "lan", profile: "slow" }))).toBe("lan/slow");
  });

  test("follow the user's mapping, of a network or of one profile of it", () => {
    const saved = nic({ profileId: "lan/lan", network: "lan", profile: "lan" });
    expect(place(saved, { lan: "dmz" })).toBe("dmz/only");
    expect(place(saved, { lan: "lan" })).toBe("lan/lan");
    expect(place(saved, { "lan/lan": "lan/slow", lan: "dmz" })).toBe("lan/slow");
  });

  test("a card that was plugged into nothing stays so", () => {
    expect(place(nic({}))).toBeUndefined();
  });

  test("a mapping of a network that no card is on is refused, with the names that the point has", () => {
    const cards = [nic({ network: "lan", profile: "slow" }), nic({ name: "nic2" })];
    const look = (...from: readonly string[]) => {
      const obstacles = new Obstacles();
      refuseUnknownNetworks(cards, new Map(from.map((name) => [name, "dmz"])), obstacles);
      return () => obstacles.throwIfAny();
    };
    expect(look("lan", "lan/slow")).not.toThrow();
    expect(look("lna")).toThrow(
      expect.objectContaining({
        code: "E_USAGE",
        message: 'no network card of the point is on "lna", did you mean "lan"?',
        hint: expect.stringMatching(/: lan, lan\/slow\.$/),
      }),
    );
    expect(look("lan/lan", "lan", "dmz")).toThrow(/2 things .*on "lan\/lan".*on "dmz"/);
  });

  test("nothing is guessed: a card without a place is an error that names the choices", () => {
    const lost = nic({ network: "gone", profile: "gone" });
    expect(() => place(lost)).toThrow(UsageError);
    expect(() => place(lost, { gone: "nowhere" })).toThrow(/nic1 \(gone\/gone\)/);
    expect(() => place(lost)).toThrow(expect.objectContaining({ hint: expect.stringMatching(/lan\/slow/) }));
    expect(() => place(nic({ network: "other", profile: "lan" }), { other: "dmz/lan" })).toThrow(UsageError);
  });
});
