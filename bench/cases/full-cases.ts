import { rm, stat } from "node:fs/promises";

import { allocatedBytes } from "../allocated-bytes.ts";
import type { Case } from "../case.ts";
import { fullAt } from "../full-at.ts";
import { cleanDisk, incompressibleImage, realFilesImage, smallImage, zeroHeavyImage } from "../images.ts";
import { borg, fullBackup, qemuImgConvert, restic } from "../peers.ts";
import { serveImage } from "../serve-image.ts";
import { Site, type SiteOptions } from "../site.ts";

const MACHINE = "bench";

/** Backups of whole disks. */
export const fullCases: Readonly<Record<string, () => Promise<Case>>> = {
  "full-raw": async () => besideAll("full-raw", await realFilesImage()),

  async "full-nbd"() {
    const image = await realFilesImage();
    return { ...(await ofExport("full-nbd", image, "raw")), dataBytes: await allocatedBytes(image) };
  },

  async "full-encrypted"() {
    const image = await smallImage();
    const plain = await siteOf("full-plain", image);
    const encrypted = await siteOf("full-encrypted", image, { encryption: { keyFile: "key" } });
    return {
      name: "full-encrypted",
      dataBytes: await allocatedBytes(image),
      ours: fullAt(encrypted, MACHINE, "ovault, encrypted"),
      others: [fullAt(plain, MACHINE, "ovault, plain")],
      close: async () => {
        await encrypted.remove();
        await plain.remove();
      },
    };
  },

  /** Nothing has changed, but without change tracking ovault reads everything and compares digests. */
  async "full-again"() {
    const image = await realFilesImage();
    const site = await siteOf("full-again", image);
    await site.fresh();
    await site.run("backup", MACHINE);
    return {
      name: "full-again",
      dataBytes: await allocatedBytes(image),
      ours: { name: "ovault", command: () => site.command("backup", MACHINE), output: site.repository },
      others: [],
      close: () => site.remove(),
    };
  },

  "full-incompressible": async () => ofOwnImage("full-incompressible", await incompressibleImage()),
  "full-zero-heavy": async () => ofOwnImage("full-zero-heavy", await zeroHeavyImage()),

  async "full-clean-6-tib"() {
    const image = await cleanDisk();
    const opened = await ofExport("full-clean-6-tib", image, "qcow2");
    return {
      ...opened,
      close: async () => {
        await opened.close?.();
        await rm(image);
      },
    };
  },
};

/** Of what `qemu-nbd` serves. */
async function ofExport(name: string, image: string, format: "raw" | "qcow2"): Promise<Case> {
  const { uri, close } = await serveImage(image, format);
  const site = await siteOf(name, uri);
  return {
    name,
    ours: fullAt(site, MACHINE, "ovault"),
    others: [qemuImgConvert(uri, { from: "raw", to: "qcow2" })],
    close: async () => {
      await close();
      await site.remove();
    },
  };
}

async function ofOwnImage(name: string, image: string): Promise<Case> {
  const opened = await besideAll(name, image);
  return {
    ...opened,
    // Every contender must read written zeros.
    dataBytes: (await stat(image)).size,
    close: async () => {
      await opened.close?.();
      await rm(image);
    },
  };
}

async function besideAll(name: string, image: string): Promise<Case> {
  const site = await siteOf(name, image);
  return {
    name,
    dataBytes: await allocatedBytes(image),
    ours: fullAt(site, MACHINE, "ovault"),
    others: [
      qemuImgConvert(image, { from: "raw", to: "qcow2" }),
      fullBackup(borg(), image),
      fullBackup(restic(), image),
    ],
    close: () => site.remove(),
  };
}

function siteOf(name: string, source: string, settings?: object): Promise<Site> {
  const options: SiteOptions = { machines: { [MACHINE]: [{ source }] } };
  return Site.open(name, settings === undefined ? options : { ...options, settings });
}
