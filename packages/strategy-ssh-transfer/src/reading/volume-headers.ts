import { z } from "zod";

import type { Hypervisor } from "../hosts/hypervisor.ts";
import { ServingError } from "../errors.ts";

const DEADLINE_MS = 120_000;

/** What the header of a volume says. */
export interface VolumeHeader {
  readonly logicalBytes: number;
  /** The name of the file below, and QEMU's name of its format if the header has one. */
  readonly backing: { readonly file: string; readonly format: string | undefined } | undefined;
}

export interface VolumeFile {
  readonly path: string;
  readonly format: "raw" | "cow";
}

/** Each file alone, in the format that is known of it: a guest writes the first bytes of a raw one. */
const SCRIPT = `
while [ $# -gt 0 ]; do
  qemu-img info --force-share --format="$1" --output=json "$2" || exit
  echo --
  shift 2
done`;

const schema = z.object({
  "virtual-size": z.int().min(0),
  "backing-filename": z.string().optional(),
  "backing-filename-format": z.string().optional(),
  "format-specific": z.object({ data: z.object({ "data-file": z.string().optional() }).optional() }).optional(),
});

/** The headers of volumes on a host, also of those that a machine writes to. @throws ServingError */
export async function volumeHeaders(
  hypervisor: Hypervisor,
  files: readonly VolumeFile[],
  signal: AbortSignal,
): Promise<readonly VolumeHeader[]> {
  const { host } = hypervisor;
  const failed = (why: string, cause?: unknown): ServingError =>
    new ServingError(`host ${host.name} cannot read ${files.map(({ path }) => path).join(", ")}: ${why}`, {
      cause,
      context: { host: host.id, hostName: host.name },
      retry: "transient",
      hint: "A merge may have removed it: run the backup again. A user other than root must be in the groups kvm and qemu.",
    });
  const args = files.flatMap(({ path, format }) => [format === "cow" ? "qcow2" : "raw", path]);
  const { stdout, stderr, exitCode } = await hypervisor.run(SCRIPT, args, {
    signal,
    deadlineMs: DEADLINE_MS,
    accept: [0, 1],
  });
  if (exitCode !== 0) throw failed(stderr.trim());
  return stdout
    .split(/^--$/m)
    .slice(0, -1)
    .map((text) => {
      const header = schema.safeParse(JSON.parse(text));
      if (!header.success) throw failed("qemu-img says something else than expected", header.error);
      if (header.data["format-specific"]?.data?.["data-file"] !== undefined)
        throw failed("its data lies in another file");
      const file = header.data["backing-filename"];
      const backing = file === undefined ? undefined : { file, format: header.data["backing-filename-format"] };
      return { logicalBytes: header.data["virtual-size"], backing };
    });
}
