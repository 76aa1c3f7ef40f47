import { rm } from "node:fs/promises";
import { join } from "node:path";

import { allocatedBytes } from "../allocated-bytes.ts";
import type { Case, Contender } from "../case.ts";
import { changedImage } from "../changed-image.ts";
import { smallImage } from "../images.ts";
import { isInstalled } from "../is-installed.ts";
import { measure } from "../measure.ts";
import { serveDirectories, serveS3, serveSftp, type ServedDestinations } from "../serve-destinations.ts";
import { Site } from "../site.ts";
import { workDirectory } from "../work-directory.ts";

/** Tasks measured on every destination, beside restic on the same one. */
const tasks = ["backup", "restore", "verify", "prune"] as const;
type Task = (typeof tasks)[number];

const kinds = { filesystem: serveDirectories, sftp: serveSftp, s3: serveS3 } as const;

const MACHINE = "bench";
const restored = join(workDirectory, "restored");
/** Share of the disk that changes before the second backup, whose point is the only one that `prune` leaves. */
const CHANGED = 0.1;

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
  readonly name: string;
  readonly needs?: string;
  /** Switches to an empty place. */
  fresh(): Promise<void>;
  /** Uses the image as the next state of the same disk. */
  useImage(image: string): Promise<void>;
  /** Forgets all points but the newest. */
  forget(): Promise<void>;
  readonly commands: Readonly<Record<Task, () => readonly string[]>>;
}

async function openCase(name: string, task: Task, serve: () => Promise<ServedDestinations>): Promise<Case> {
  const image = await smallImage();
  const changed = await changedImage(image, CHANGED);
  const served = await serve();
  const site = await Site.open(name, { machines: {} });
  const images = [image, changed.path];
  const ours = await contender(ovaultOn(site, served), task, images);
  const others = [await contender(resticOn(served), task, images)];
  return {
    name,
    ours,
    others,
    ...(task !== "prune" && { dataBytes: await allocatedBytes(image) }),
    close: async () => {
      await served.close();
      await site.remove();
      await Promise.all([changed.path, changed.changes].map((path) => rm(path)));
    },
  };
}

async function contender(contestant: Contestant, task: Task, images: readonly string[]): Promise<Contender> {
  const { name, needs, commands } = contestant;
  const told = { name, ...(needs !== undefined && { needs }), command: commands[task] };
  if (needs !== undefined && !isInstalled(needs)) return told;
  const fill = async (count: number): Promise<void> => {
    await contestant.fresh();
    for (const image of images.slice(0, count)) {
      await contestant.useImage(image);
      await measure(commands.backup());
    }
  };
  switch (task) {
    case "backup":
      await contestant.useImage(images[0] ?? "");
      return { ...told, prepare: () => contestant.fresh() };
    case "prune":
      return {
        ...told,
        prepare: async () => {
          await fill(2);
          await contestant.forget();
        },
      };
    case "restore":
      await fill(1);
      return { ...told, tidy: () => rm(restored, { recursive: true, force: true }) };
    case "verify":
      await fill(1);
      return told;
  }
}

function ovaultOn(site: Site, served: ServedDestinations): Contestant {
  let destination = {};
  let source = "";
  const configure = () => site.configure({ machines: { [MACHINE]: [{ source }] }, destination });
  return {
    name: "ovault",
    fresh: async () => {
      destination = await served.newPlace();
      await configure();
      await site.fresh();
    },
    useImage: async (image) => {
      source = image;
      await configure();
    },
    forget: () => site.run("forget", "--keep-last", "1"),
    commands: {
      backup: () => site.command("backup", MACHINE),
      restore: () => site.command("restore", `${MACHINE}@latest`, "--disk", "0", "--to-file", restored),
      verify: () => site.command("verify", "--all"),
      prune: () => site.command("prune", "--grace", "0m"),
    },
  };
}

function resticOn(served: ServedDestinations): Contestant {
  let restic: readonly string[] = [];
  let source = "";
  return {
    name: "restic",
    needs: "restic",
    fresh: async () => {
      restic = await served.newResticPlace();
      await measure([...restic, "init"]);
    },
    useImage: async (image) => {
      source = image;
    },
    forget: async () => {
      await measure([...restic, "forget", "--keep-last", "1", "--group-by", "host"]);
    },
    commands: {
      // The same host each time, so that both backups are of one group.
      backup: () => [...restic, "backup", "--force", "--host", "bench", source],
      restore: () => [...restic, "restore", "latest", "--target", restored],
      verify: () => [...restic, "check", "--read-data"],
      prune: () => [...restic, "prune"],
    },
  };
}
