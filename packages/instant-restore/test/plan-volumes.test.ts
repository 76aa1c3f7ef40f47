import * as fc from "fast-check";
import { expect, test } from "vitest";

import { parseVolumeMetadata } from "@ovault/storage-domain/internal/volume-metadata";

import { planVolumes } from "../src/index.ts";

const DOMAIN = "6f3b1a52-0c7e-4e0b-9a7d-2f8f1b0c9d11";
const disks = fc.array(
  fc.record({
    id: fc.uuid(),
    alias: fc.string({ unit: "binary", maxLength: 300 }),
    logicalBytes: fc.integer({ min: 1, max: 2 ** 50 }),
    format: fc.constantFrom("raw", "cow"),
  }),
  { maxLength: 4 },
);

test("hosts read from the metadata what was planned, whatever the disks are called, in every version", () => {
  fc.assert(
    fc.property(disks, fc.integer({ min: 3, max: 5 }), (wanted, version) => {
      const planned = planVolumes({ id: DOMAIN, version }, wanted, new Date(1_700_000_000_000));
      expect(planned.map(({ from }) => from)).toEqual(wanted.map(({ id }) => id));
      expect(new Set(planned.flatMap(({ diskId, volumeId }) => [diskId, volumeId])).size).toBe(2 * wanted.length);
      for (const [index, { format, virtualBytes, diskId, volumeId, path, meta, lease }] of planned.entries()) {
        const { alias = "", logicalBytes = 0 } = wanted[index] ?? {};
        const read = parseVolumeMetadata(meta.text, "meta");
        expect(read).toMatchObject({ domainId: DOMAIN, imageId: diskId, format, capacityBytes: virtualBytes });
        expect(read).toMatchObject({ role: "leaf", legality: "legal", sparse: true, parentId: undefined });
        expect([path, meta.path, lease.path]).toEqual(
          ["", ".meta", ".lease"].map((end) => `${DOMAIN}/images/${diskId}/${volumeId}${end}`),
        );
        expect(virtualBytes % 512).toBe(0);
        expect(virtualBytes - logicalBytes).toBeLessThan(512);
        expect(virtualBytes).toBeGreaterThanOrEqual(logicalBytes);
        const { DiskAlias: shown } = JSON.parse(read.description) as { DiskAlias: string };
        const fitting = alias.replaceAll(/[^\p{L}0-9._-]+/gu, "_") || "disk";
        expect(fitting.startsWith(shown)).toBe(true);
        expect(shown).not.toBe("");
      }
    }),
  );
});
