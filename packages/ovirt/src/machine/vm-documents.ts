import { z } from "zod";

import { IntegrityError, ManagerError, type PointDocument, type RecoveryPoint } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { parseXml } from "../engine/parse-xml.ts";
import type { XmlElement } from "../engine/xml-element.ts";
import type { Vm } from "../model/vm.ts";
import { readOvf } from "../ovf/read-ovf.ts";
import { belongingsSchema, readBelongings, type Belongings } from "./belongings.ts";

/** The OVF as the engine wrote it. */
const OVF_DOCUMENT = "vm.ovf";
/** The machine's settings as the API shows them: an OVF lacks some of them. */
const SETTINGS_DOCUMENT = "vm-settings.xml";
/** What the engine keeps outside the machine's configuration. */
const BELONGINGS_DOCUMENT = "belongings.json";
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
    /** Parameters of the profile's network filter. */
    filters: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
  }),
);

/** A network card as a recovery point remembers it. No `network`: it was disconnected. */
export type SavedNic = z.output<typeof nicsSchema>[number];

/**
 * The configuration of a virtual machine as documents of a recovery point.
 *
 * @param vm read with `allContent`
 */
export async function vmDocuments(api: EngineApi, vm: Vm, signal: AbortSignal): Promise<readonly PointDocument[]> {
  if (vm.ovf === undefined) {
    throw new ManagerError(`the engine does not show the configuration of ${vm.name}`, {
      context: { vm: vm.id },
      hint: "The user needs a role with rights on the whole virtual machine, e.g. UserVmManager.",
    });
  }
  const [nics, belongings, profiles, networks] = await Promise.all([
    api.vms.nics(vm.id, signal),
    readBelongings(api, vm, signal),
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
      filters: [...nic.filters],
    };
  });
  return [
    { name: OVF_DOCUMENT, mediaType: "application/xml", text: vm.ovf },
    { name: NICS_DOCUMENT, mediaType: "application/json", text: JSON.stringify(saved, null, 2) },
    ...(vm.settings === undefined
      ? []
      : [{ name: SETTINGS_DOCUMENT, mediaType: "application/xml", text: vm.settings }]),
    { name: BELONGINGS_DOCUMENT, mediaType: "application/json", text: JSON.stringify(belongings, null, 2) },
  ];
}

/** @throws IntegrityError when the document is missing or malformed */
export function savedOvf(point: RecoveryPoint): string {
  const document = point.documents.find(({ name }) => name === OVF_DOCUMENT);
  if (document !== undefined) return document.text;
  throw new IntegrityError(`recovery point ${point.id} holds no configuration of a virtual machine`, {
    context: { point: point.id },
    hint: (field) => `Its disks can be restored to files, one at a time, with ${field("disk")} and ${field("toFile")}.`,
  });
}

/** From the point's own document, or from the OVF alone in older points. */
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
      filters: [],
    }));
  }
  return parseDocument(point, document, nicsSchema);
}

/** A `<vm>` with only its settings; undefined in points of earlier releases. @throws IntegrityError */
export function savedSettings(point: RecoveryPoint): XmlElement | undefined {
  const document = point.documents.find(({ name }) => name === SETTINGS_DOCUMENT);
  return document === undefined ? undefined : unlessUnreadable(point, document, () => parseXml(document.text));
}

/** Undefined in points of earlier releases. */
export function savedBelongings(point: RecoveryPoint): Belongings {
  const document = point.documents.find(({ name }) => name === BELONGINGS_DOCUMENT);
  return document === undefined ? belongingsSchema.parse({}) : parseDocument(point, document, belongingsSchema);
}

function parseDocument<T>(point: RecoveryPoint, document: PointDocument, schema: z.ZodType<T>): T {
  return unlessUnreadable(point, document, () => schema.parse(JSON.parse(document.text)));
}

/** @throws IntegrityError */
function unlessUnreadable<T>(point: RecoveryPoint, { name }: PointDocument, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new IntegrityError(`${name} in recovery point ${point.id} cannot be read`, { cause: error });
  }
}
