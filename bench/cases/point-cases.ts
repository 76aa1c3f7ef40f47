import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { allocatedBytes } from "../allocated-bytes.ts";
import type { Case } from "../case.ts";
import { smallImage } from "../images.ts";
import { Site } from "../site.ts";

const MACHINE = "bench";
const worker = fileURLToPath(new URL("../workers/read-point.ts", import.meta.url));

/** A disk of a point, read as a server reads it, beside the pipeline of a restore that writes nothing. */
export const pointCases: Readonly<Record<string, () => Promise<Case>>> = {
  async "point-reader"() {
    const image = await smallImage();
    const site = await Site.open("point-reader", { machines: { [MACHINE]: [{ source: image }] } });
    await site.fresh();
    await site.run("backup", MACHINE);
    const repository = join(site.directory, "repository");
    const read = (how: string) => [process.execPath, worker, repository, how];
    return {
      name: "point-reader",
      dataBytes: await allocatedBytes(image),
      ours: { name: "reader", command: () => read("reader") },
      others: [{ name: "restore into nothing", command: () => read("restore") }],
      close: () => site.remove(),
    };
  },
};
