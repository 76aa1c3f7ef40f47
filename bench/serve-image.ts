import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { workDirectory } from "./work-directory.ts";

/** A qemu-nbd that serves `image` until it is closed, or until this process ends. */
export async function serveImage(
  image: string,
  format: string,
): Promise<{ uri: string; socket: string; close: () => Promise<void> }> {
  const socket = join(workDirectory, "nbd.sock");
  await rm(socket, { force: true });
  const options = ["-r", "-t", "-e", "8", "-k", socket, "-f", format, image];
  const server = spawn("qemu-nbd", options, { stdio: "inherit" });
  const closed = new Promise<void>((resolve) => server.once("close", () => resolve()));
  const kill = (): boolean => server.kill();
  process.once("exit", kill);
  while (!existsSync(socket)) {
    if (server.exitCode !== null) throw new Error(`qemu-nbd does not serve ${image}: it ended with ${server.exitCode}`);
    await sleep(20);
  }
  return {
    socket,
    uri: `nbd+unix:///?socket=${socket}`,
    close: async () => {
      kill();
      await closed;
      process.off("exit", kill);
    },
  };
}
