import { allocatedBytes } from "../allocated-bytes.ts";
import type { Case } from "../case.ts";
import { realFilesImage } from "../images.ts";
import { borg, restic, verification } from "../peers.ts";
import { Site } from "../site.ts";

const MACHINE = "bench";

/** Reads everything back and compares it with its digests. */
export const verifyCases: Readonly<Record<string, () => Promise<Case>>> = {
  async verify() {
    const image = await realFilesImage();
    const site = await Site.open("verify", { machines: { [MACHINE]: [{ source: image }] } });
    await site.fresh();
    await site.run("backup", MACHINE);
    const peers = [borg(), restic()];
    const others = [];
    for (const peer of peers) others.push(await verification(peer, image));
    return {
      name: "verify",
      dataBytes: await allocatedBytes(image),
      ours: { name: "ovault", command: () => site.command("verify", "--all") },
      others,
      close: async () => {
        await site.remove();
        for (const peer of peers) await peer.clear();
      },
    };
  },
};
