import { z } from "zod";

/** A logical volume as a host sees it. */
export interface LogicalVolume {
  /** `GROUP/VOLUME`. */
  readonly name: string;
  /** Size in the metadata of its group; an active one may not have it yet. */
  readonly bytes: number;
  readonly isActive: boolean;
  /** Something on the host has it open. */
  readonly isOpen: boolean;
}

const report = z.object({
  report: z.array(
    z.object({
      lv: z.array(
        z.object({
          vg_name: z.string(),
          lv_name: z.string(),
          lv_attr: z.string().min(6),
          lv_size: z.string().regex(/^\d+$/).transform(Number),
        }),
      ),
    }),
  ),
});

/**
 * Reads a report of `lvs`, as `LVM_COMMANDS.list` asks for it. The attributes are those of lvs(8): the fifth is the
 * state, the sixth whether the device is open. Where the device differs from the volume, because another host has
 * extended the volume since, both are `X`, unknown: that counts as active and open.
 *
 * @throws SyntaxError, ZodError when it is none
 */
export function parseReport(text: string): readonly LogicalVolume[] {
  const { report: reports } = report.parse(JSON.parse(text));
  return reports.flatMap(({ lv }) =>
    lv.map(({ vg_name, lv_name, lv_attr, lv_size }) => ({
      name: `${vg_name}/${lv_name}`,
      bytes: lv_size,
      isActive: lv_attr[4] !== "-",
      isOpen: lv_attr[5] !== "-",
    })),
  );
}
