import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { z } from "zod";

import { networkOf } from "../nfs/host-network.ts";
import { isOnNfs } from "./disk-tree.ts";
import { HypervisorError } from "./errors.ts";

const run = promisify(execFile);

const imageInfo = z.object({
  filename: z.string(),
  format: z.string(),
  "virtual-size": z.number(),
  "actual-size": z.number().default(0),
  "full-backing-filename": z.string().optional(),
  "format-specific": z
    .object({
      data: z.object({
        bitmaps: z.array(z.object({ name: z.string(), flags: z.array(z.string()) })).optional(),
      }),
    })
    .optional(),
});

/** Output of `qemu-img info` for one image file. */
export type ImageInfo = z.infer<typeof imageInfo>;

/** Runs `qemu-img`. @throws HypervisorError with its own words */
export async function qemuImg(...args: string[]): Promise<string> {
  return (await runTool("qemu-img", args)).stdout;
}

/** Copies a file sparsely, sharing its blocks where the file system can. */
export async function copyFileSparsely(from: string, to: string): Promise<void> {
  if (isOnNfs(to)) await qemuImg("convert", "-f", "raw", "-O", "raw", from, to);
  else await runTool("cp", ["--sparse=auto", "--reflink=auto", "--", from, to]);
}

/** Frees the space of all-zero blocks of a file. */
export async function digHoles(path: string): Promise<void> {
  await runTool("fallocate", ["--dig-holes", path]);
}

/** Allocates a raw file by writing it in full. */
export async function writeZeros(path: string, bytes: number): Promise<void> {
  await runTool("qemu-io", ["-f", "raw", "-c", `write -q -z 0 ${bytes}`, path]);
}

/** Describes a volume file of known format, also while a QEMU process holds it. */
export async function inspectVolume(path: string, format: string): Promise<ImageInfo> {
  return imageInfo.parse(JSON.parse(await qemuImg("info", "--force-share", "--output=json", "-f", format, path)));
}

/** Describes a foreign image and everything below it, top first. Fails while another process writes to it. */
export async function inspectChain(path: string): Promise<readonly ImageInfo[]> {
  return z.array(imageInfo).parse(JSON.parse(await qemuImg("info", "--backing-chain", "--output=json", path)));
}

/** Runs a tool whose files only their owner may read: they hold guest data. */
async function runTool(tool: string, args: string[]): Promise<{ stdout: string }> {
  try {
    const forOwnerOnly = ["/bin/sh", "-c", 'umask 077; exec "$@"', "sh", tool, ...args];
    const network = networkOf(args);
    // With this process its way to NFS servers ends: there it would wait for ever.
    const inNetwork = network.length === 0 ? [] : [...network, "setpriv", "--pdeathsig", "KILL", "--"];
    const [program = "", ...rest] = [...inNetwork, ...forOwnerOnly];
    return await run(program, rest, { maxBuffer: 64 * 1024 * 1024 });
  } catch (cause) {
    const text = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim() : String(cause);
    throw new HypervisorError(`${tool} ${args[0] ?? ""} failed: ${text}`, {
      cause,
      hint: "The lab needs the Debian packages qemu-utils and qemu-system-common.",
    });
  }
}
