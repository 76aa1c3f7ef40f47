import { didYouMean, UsageError } from "@ovault/contract";

import type { Network } from "../../model/network.ts";
import type { VnicProfile } from "../../model/vnic-profile.ts";
import type { SavedNic } from "../../machine/vm-documents.ts";
import type { Obstacles } from "./obstacles.ts";

/** The networks of the target cluster, and all profiles. */
export interface TargetNetworks {
  readonly networks: readonly Network[];
  readonly profiles: readonly VnicProfile[];
}

/** A network card of the restored machine. */
export interface MappedNic {
  readonly nic: SavedNic;
  /** Undefined: disconnected, as it was. */
  readonly profileId: string | undefined;
  /** For people: `network/profile`. */
  readonly target: string;
}

/**
 * Maps each card to a profile: by the user's mapping, else the same profile by id, else network and profile by name.
 * Never guesses.
 *
 * @param mapping `network` or `network/profile` in the point → the same in the target
 * @throws UsageError naming every card without a profile, with what to pass
 */
export function mapNics(
  nics: readonly SavedNic[],
  mapping: ReadonlyMap<string, string>,
  target: TargetNetworks,
): readonly MappedNic[] {
  const places = listPlaces(target);
  const lost: SavedNic[] = [];
  const mapped = nics.map((nic): MappedNic => {
    if (nic.network === undefined) return { nic, profileId: undefined, target: "nothing" };
    const wanted = mapping.get(`${nic.network}/${nic.profile}`) ?? mapping.get(nic.network);
    const place = wanted === undefined ? sameAsBefore(nic, places) : named(wanted, places);
    if (place === undefined) lost.push(nic);
    return { nic, profileId: place?.profileId, target: place === undefined ? "nothing" : label(place) };
  });
  if (lost.length === 0) return mapped;
  const cards = lost.map(({ name, network, profile }) => `${name} (${network}/${profile ?? "?"})`).join(", ");
  throw new UsageError(`no network for ${cards}`, {
    hint: (field) =>
      `Pass ${field("networks", ["FROM", "TO"])} for each, with TO one of: ${places.map(label).join(", ") || "(none)"}.`,
  });
}

/**
 * Checks that each network that the user maps is one of the point's: else a slip in a name would leave a card on the
 * network that it was to leave.
 */
export function refuseUnknownNetworks(
  nics: readonly SavedNic[],
  mapping: ReadonlyMap<string, string>,
  obstacles: Obstacles,
): void {
  const known = new Set(
    nics.flatMap(({ network, profile }) =>
      network === undefined ? [] : [network, ...(profile === undefined ? [] : [`${network}/${profile}`])],
    ),
  );
  for (const from of mapping.keys()) {
    if (known.has(from)) continue;
    obstacles.add(`no network card of the point is on "${from}"${didYouMean(from, known)}`, {
      hint: (field) =>
        `Pass ${field("networks", ["FROM", "TO"])} with FROM one of: ${[...known].join(", ") || "(none)"}.`,
    });
  }
}

interface Place {
  readonly network: string;
  readonly profile: string;
  readonly profileId: string;
}

function listPlaces({ networks, profiles }: TargetNetworks): Place[] {
  return profiles.flatMap(({ id, name, networkId }) => {
    const network = networks.find((one) => one.id === networkId);
    return network === undefined ? [] : [{ network: network.name, profile: name, profileId: id }];
  });
}

function sameAsBefore(nic: SavedNic, places: readonly Place[]): Place | undefined {
  const byId = places.find(({ profileId }) => profileId === nic.profileId);
  return byId ?? places.find(({ network, profile }) => network === nic.network && profile === nic.profile);
}

/** A network alone means its profile of the same name, or its only one. */
function named(wanted: string, places: readonly Place[]): Place | undefined {
  const exact = places.find((place) => label(place) === wanted);
  if (exact !== undefined) return exact;
  const ofNetwork = places.filter(({ network }) => network === wanted);
  return ofNetwork.find(({ profile }) => profile === wanted) ?? (ofNetwork.length === 1 ? ofNetwork[0] : undefined);
}

function label({ network, profile }: Place): string {
  return `${network}/${profile}`;
}
