import * as fc from "fast-check";
import { expect, test } from "vitest";

import { parseReport } from "../src/volumes/parse-report.ts";
import { assertVolumeIds, volumePath } from "../src/volumes/volume.ts";

const uuid = fc.uuid();
const attributes = fc
  .tuple(fc.constantFrom("-", "a", "s", "X"), fc.constantFrom("-", "o", "X"))
  .map(([state, open]) => `-wi-${state}${open}----`);

test("a report of LVM is read back, whatever volumes it has", () => {
  const volume = fc.record({ vg_name: uuid, lv_name: uuid, lv_attr: attributes, lv_size: fc.nat() });
  fc.assert(
    fc.property(fc.array(volume), (volumes) => {
      // LVM's layout, which is no canonical JSON, of release 2.03.16.
      const lines = volumes.map((one) => `                  ${JSON.stringify({ ...one, lv_size: `${one.lv_size}` })}`);
      const text = `  {\n      "report": [\n          {\n              "lv": [\n${lines.join(",\n")}\n              ]\n          }\n      ]\n  }\n`;
      const read = parseReport(text);
      expect(read).toEqual(
        volumes.map(({ vg_name, lv_name, lv_attr, lv_size }) => ({
          name: `${vg_name}/${lv_name}`,
          bytes: lv_size,
          isActive: !lv_attr.startsWith("-wi--"),
          isOpen: !lv_attr.endsWith("-----"),
        })),
      );
    }),
  );
});

test("what is no report is refused", () => {
  for (const text of ["", "{}", '{"report":[{"lv":[{"lv_name":"x"}]}]}', "  WARNING: no device"]) {
    expect(() => parseReport(text)).toThrow(/JSON|expected/i);
  }
});

test("only ids become names and paths of volumes", () => {
  const ids = fc.tuple(uuid, uuid, uuid, uuid);
  const strange = fc.oneof(fc.string(), fc.constantFrom("..", "../..", "--config", "a/b", "$(id)", "a\nb", ""));
  fc.assert(
    fc.property(ids, fc.nat(3), strange, (good, at, bad) => {
      const [dataCenterId = "", storageDomainId = "", diskId = "", volumeId = ""] = good.with(at, bad);
      const volume = { dataCenterId, storageDomainId, diskId, volumeId, format: "raw", onBlock: true } as const;
      expect(() => assertVolumeIds(volume)).toThrow("what is no id");
      expect(() => volumePath(volume, "/rhev/data-center")).toThrow("what is no id");
    }),
  );
});
