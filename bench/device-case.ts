import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { Case } from "./cases.ts";
import { smallImage, warm } from "./images.ts";

const run = promisify(execFile);
const worker = fileURLToPath(new URL("read-device.ts", import.meta.url));

/** A loop device read through the strategy's source, beside dd. Needs root. */
export async function deviceCase(): Promise<Case> {
  const image = await smallImage();
  await warm(image);
  const { stdout } = await run("losetup", ["--find", "--show", "--read-only", image]);
  const device = stdout.trim();
  // The device's own cache is emptied; what lies below it is warm for both.
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
}
