import { mkdir, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describeStrategy } from "@ovault/testkit";

import { ImagesManager } from "../src/images-manager.ts";
import { ImagesStrategy } from "../src/images-strategy.ts";

const signal = new AbortController().signal;
const DISK_BYTES = [2 * 1024 * 1024, 1024 * 1024 + 512];

describeStrategy("images", {
  runs: 5,
  open: async () => {
    const directory = await mkdtemp(join(tmpdir(), "ovault-images-"));
    const copies = join(directory, "copies");
    await mkdir(copies);
    const files = DISK_BYTES.map((_, index) => join(directory, `${index}.raw`));
    for (const [index, file] of files.entries()) {
      await writeFile(file, `the disk ${index}`);
      await truncate(file, DISK_BYTES[index]);
    }
    const manager = new ImagesManager("shelf", { machines: { web01: files.map((source) => ({ source })) } });
    const fileOf = (diskId: string): string => manager.imagesOf("web01").get(diskId)?.source ?? "";
    return {
      strategy: new ImagesStrategy(manager, { copies }),
      vm: async () => {
        const [vm] = await manager.inventory(signal);
        if (vm === undefined) throw new Error("there is no machine");
        return vm;
      },
      view: (diskId: string) => readFile(fileOf(diskId)),
      async write(diskId: string, { offset, length, seed }: { offset: number; length: number; seed: number }) {
        await using file = await open(fileOf(diskId), "r+");
        await file.write(Buffer.alloc(length, seed === 0 ? "\0" : `${seed} `), 0, length, offset);
      },
      leftovers: () => readdir(copies),
      dispose: () => rm(directory, { recursive: true }),
    };
  },
});
