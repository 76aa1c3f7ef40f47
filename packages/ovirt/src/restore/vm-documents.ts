import { z } from "zod";

import { IntegrityError, ManagerError } from "@ovault/core";
import type { PointDocument, RecoveryPoint } from "@ovault/core";

import type { EngineApi } from "../api/engine-api.ts";
import type { Vm } from "../model/vm.ts";
import { readOvf } from "../ovf/read-ovf.ts";

/** The OVF as the engine wrote it. */
const OVF_DOCUMENT = "vm.ovf";
/** Network cards with what the OVF lacks: the ids of their profiles. */
const NICS_DOCUMENT = "nics.json";

const nicsSchema = z.array(
  z.object({
    name: z.string(),
    mac: z.string().optional(),
    profileId: z.string().optional(),
    profile: z.string().optional(),
    network: z.string().optional(),
    interface: z.string().optional(),
    linked: z.boolean().default(true),
    plugged: z.boolean().default(true),
  }),
);

/** A network card as a recovery point remembers it. No `network`: it was plugged into nothing. */
export type SavedNic = z.output<typeof nicsSchema>[number];

/**
 * The configuration of a virtual machine as documents of a recovery point.
 *
 * @param vm asked for with `allContent`
 */
export async function vmDocuments(api: EngineApi, vm: Vm, signal: AbortSignal): Promise<readonly PointDocument[]> {
  if (vm.ovf === undefined) {
    throw new ManagerError(`the engine does not show the configuration of ${vm.name}`, {
      context: { vm: vm.id },
      hint: "The user needs a role with rights on the whole virtual machine, e.g. UserVmManager.",
    });
  }
  const [nics, profiles, networks] = await Promise.all([
    api.vms.nics(vm.id, signal),
    api.infrastructure.vnicProfiles(signal),
    api.infrastructure.networks(signal),
  ]);
  const saved: SavedNic[] = nics.map((nic) => {
    const profile = profiles.find(({ id }) => id === nic.vnicProfileId);
    const network = networks.find(({ id }) => id === profile?.networkId);
    return {
      name: nic.name,
      mac: nic.mac,
      profileId: nic.vnicProfileId,
      profile: profile?.name,
      network: network?.name,
      interface: nic.interface,
      linked: nic.linked,
      plugged: nic.plugged,
    };
  });
  return [
    { name: OVF_DOCUMENT, mediaType: "application/xml", text: vm.ovf },
    { name: NICS_DOCUMENT, mediaType: "application/json", text: JSON.stringify(saved, null, 2) },
  ];
}

/** @throws {IntegrityError} when the point has none, or holds something else under the name. */
export function savedOvf(point: RecoveryPoint): string {
  const document = point.documents.find(({ name }) => name === OVF_DOCUMENT);
  if (document !== undefined) return document.text;
  throw new IntegrityError(`recovery point ${point.id} holds no configuration of a virtual machine`, {
    context: { point: point.id },
    hint: "Its disks can be restored to files: `ovault restore POINT --disk D --to-file PATH`.",
  });
}

/** From the document made for it, or from the OVF alone. */
export function savedNics(point: RecoveryPoint): readonly SavedNic[] {
  const document = point.documents.find(({ name }) => name === NICS_DOCUMENT);
  if (document === undefined) {
    return readOvf(savedOvf(point)).nics.map(({ name, mac, network, profile, linked, plugged }) => ({
      name,
      mac,
      network,
      profile,
      linked,
      plugged,
    }));
  }
  try {
    return nicsSchema.parse(JSON.parse(document.text));
  } catch (error) {
    throw new IntegrityError(`the network cards in recovery point ${point.id} cannot be read`, { cause: error });
  }
}
