import { badRequest } from "../engine-fault.ts";
import type { ExportTree } from "./export-tree.ts";
import type { ExportedVolume } from "./volume-metadata.ts";

/** Volumes of one image in the export domain, from the lowest to the top. */
export type ExportedChain = readonly [ExportedVolume, ...ExportedVolume[]];

/**
 * The chain of every image that an OVF names. A chain ends above the volume of a template, which does not lie there.
 * @throws EngineFault 409 for a volume that a host would refuse
 */
export async function readChains(
  tree: ExportTree,
  ovf: string,
  isOfTemplate: (volumeId: string) => boolean,
): Promise<readonly ExportedChain[]> {
  const chains: ExportedChain[] = [];
  for (const [, imageId = "", volumeId = ""] of ovf.matchAll(/ovf:href="([^"/]+)\/([^"/]+)"/g)) {
    let chain: ExportedChain = [await tree.volume(imageId, volumeId)];
    for (let next = chain[0].parentId; next !== undefined; next = chain[0].parentId) {
      if (chain.some((volume) => volume.volumeId === next)) {
        throw badRequest("Cannot import VM. Volumes are their own parents.");
      }
      if (isOfTemplate(next)) break;
      chain = [await tree.volume(imageId, next), ...chain];
    }
    chains.push(chain);
  }
  return chains;
}
