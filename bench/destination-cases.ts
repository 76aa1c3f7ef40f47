import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Case } from "./cases.ts";
import { changedImage, smallImage, warm, workDirectory } from "./images.ts";
import { measure } from "./measure.ts";
import { serveDirectories, serveS3, serveSftp, type ServedDestinations } from "./serve-destinations.ts";

const takeBackup = fileURLToPath(new URL("take-backup.ts", import.meta.url));
const useRepository = fileURLToPath(new URL("use-repository.ts", import.meta.url));
const restored = join(workDirectory, "restored.raw");

/** What is measured on every destination, beside restic on the same one. */
const tasks = ["backup", "restore", "verify", "prune"] as const;
type Task = (typeof tasks)[number];

const kinds = { filesystem: serveDirectories, sftp: serveSftp, s3: serveS3 } as const;

/** `destination-KIND-TASK` for every kind of destination and every task. */
export const destinationCases: Readonly<Record<string, () => Promise<Case>>> = Object.fromEntries(
  Object.entries(kinds).flatMap(([kind, serve]) =>
    tasks.map((task) => {
      const name = `destination-${kind}-${task}`;
      return [name, () => openCase(name, task, serve)] as const;
    }),
  ),
);

interface Contestant {
  /** An empty place. */
  fresh(): Promise<void>;
  backup(image: string): readonly string[];
  readonly restore: () => readonly string[];
  readonly verify: () => readonly string[];
  readonly prune: () => readonly string[];
}

async function openCase(name: string, task: Task, serve: () => Promise<ServedDestinations>): Promise<Case> {
  const image = await smallImage();
  await warm(image);
  const served = await serve();
  const changed = task === "prune" ? (await changedImage(image, 0.1)).path : image;
  const contender = async (who: string, contestant: Contestant) => {
    const prepare = async (): Promise<void> => {
      await rm(restored, { recursive: true, force: true });
      if (task === "restore" || task === "verify") return;
      await contestant.fresh();
      if (task === "prune") for (const disk of [image, changed]) await measure(contestant.backup(disk));
    };
    if (task === "restore" || task === "verify") {
      await contestant.fresh();
      await measure(contestant.backup(image));
    }
    return {
      name: who,
      prepare,
      command: () => (task === "backup" ? contestant.backup(image) : contestant[task]()),
    };
  };
  const ours = await contender("ovault", ovaultOn(served));
  const others = [await contender("restic", resticOn(served))];
  return { name, ours, others, close: () => served.close() };
}

function ovaultOn(served: ServedDestinations): Contestant {
  let place = "";
  return {
    fresh: async () => {
      place = await served.newPlace();
    },
    backup: (image) => [process.execPath, takeBackup, image, place],
    restore: () => [process.execPath, useRepository, "restore", place, restored],
    verify: () => [process.execPath, useRepository, "verify", place],
    prune: () => [process.execPath, useRepository, "prune", place],
  };
}

function resticOn(served: ServedDestinations): Contestant {
  let restic: readonly string[] = [];
  return {
    fresh: async () => {
      restic = await served.newResticPlace();
      await measure([...restic, "init"]);
    },
    // The same name each time, so that its own change detection has nothing to go by.
    backup: (image) => [...restic, "backup", "--force", "--host", "bench", image],
    restore: () => [...restic, "restore", "latest", "--target", restored],
    verify: () => [...restic, "check", "--read-data"],
    prune: () => [...restic, "forget", "--keep-last", "1", "--group-by", "host", "--prune"],
  };
}
