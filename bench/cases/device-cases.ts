import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { Case } from "../case.ts";
import { smallImage } from "../images.ts";

const run = promisify(execFile);
const worker = fileURLToPath(new URL("../workers/read-device.ts", import.meta.url));

/** A loop device read through the strategy's source, beside dd. Needs root. */
export const deviceCases: Readonly<Record<string, () => Promise<Case>>> = {
  async "disk-attachment"() {
    const { stdout } = await run("losetup", ["--find", "--show", "--read-only", await smallImage()]);
    const device = stdout.trim();
    // Empties the device's own cache; the layer below is warm for both.
    const prepare = async (): Promise<void> => {
      await run("blockdev", ["--flushbufs", device]);
    };
    return {
      name: "disk-attachment",
      ours: { name: "ovault", prepare, command: () => [process.execPath, worker, device] },
      others: [{ name: "dd", prepare, command: () => ["dd", `if=${device}`, "of=/dev/null", "bs=8M", "status=none"] }],
      close: async () => {
        await run("losetup", ["--detach", device]);
      },
    };
  },
};
