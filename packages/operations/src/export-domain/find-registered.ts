import { setTimeout as sleep } from "node:timers/promises";

import { messageOf, systemErrorCode } from "@ovault/contract";
import type { EngineApi, StorageDomain } from "@ovault/ovirt";
import { FileDomain } from "@ovault/storage-domain";
import { ExportDomainError } from "@ovault/strategy-export-domain";

import type { ExportSite } from "./export-site.ts";

/** What `export-domain setup` finds, or what it would make. */
export interface RegisteredDomain {
  readonly name: string;
  /** As in the list of the data center: with `status`. Undefined: the engine has none yet. */
  readonly domain: StorageDomain | undefined;
  readonly isAttached: boolean;
}

const LOOK_MS = 500;
const DEFAULT_NAME = "ovault-export";

/**
 * Finds the engine's export domain of a site, in any state that an interrupted set-up or removal leaves. What can be
 * half of a request that is still at work, because the run that sent it died, is looked at again for a while.
 *
 * @throws ExportDomainError when something else is where it should be
 */
export async function findRegistered(api: EngineApi, site: ExportSite, signal: AbortSignal): Promise<RegisteredDomain> {
  const until = performance.now() + api.inFlightMs;
  for (;;) {
    try {
      return await look(api, site, signal);
    } catch (error) {
      if (!(error instanceof ExportDomainError) || error.retry !== "transient") throw error;
      if (performance.now() > until) throw error;
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function look(api: EngineApi, { dataCenter, place }: ExportSite, signal: AbortSignal): Promise<RegisteredDomain> {
  const all = await api.infrastructure.storageDomains(signal);
  const attached = await api.infrastructure.attachedStorageDomains(dataCenter.id, signal);
  const own = attached.find(({ type }) => type === "export");
  const idHere = await idIn(place.folder);
  const here = all.find(({ id, dataCenterIds }) => id === idHere && dataCenterIds.length === 0);
  const name = place.exportDomain ?? (own ?? here)?.name ?? defaultName(place.dataCenter);
  const ofName = all.find((one) => one.name === name);
  if (ofName !== undefined && ofName.type !== "export") throw otherType(ofName);
  if (own !== undefined) {
    if (own.name !== name) throw secondDomain(own, dataCenter.name, place.folder);
    await assertLiesIn(place.folder, own);
    return { name, domain: own, isAttached: true };
  }
  if (ofName === undefined) {
    if (idHere !== undefined) throw holdsOther(place.folder, idHere, all);
    return { name, domain: undefined, isAttached: false };
  }
  if (ofName.dataCenterIds.length > 0) throw elsewhere(ofName, dataCenter.name);
  await assertLiesIn(place.folder, ofName);
  return { name, domain: ofName, isAttached: false };
}

/** Engines take letters, digits, `-` and `_`. */
function defaultName(dataCenter: string | undefined): string {
  return dataCenter === undefined ? DEFAULT_NAME : `${DEFAULT_NAME}-${dataCenter.replaceAll(/[^A-Za-z0-9_-]/g, "-")}`;
}

async function assertLiesIn(folder: string, domain: StorageDomain): Promise<void> {
  const { id, name, address, path, dataCenterIds } = domain;
  try {
    await using _ = await FileDomain.open(folder, id);
  } catch (cause) {
    throw new ExportDomainError(
      `export domain ${name} does not lie in ${folder}, but at ${address ?? "?"}:${path ?? "?"}: ${messageOf(cause)}`,
      {
        cause,
        // A host may be removing it.
        retry: dataCenterIds.length === 0 ? "transient" : "never",
        context: { storageDomain: id, folder },
        hint: `If that is this folder, is it mounted here, and may ovault read it? Else give the new export domain another name, with \`exportDomain:\` in ovault.yaml.`,
      },
    );
  }
}

/** Of the domain in a folder: vdsm takes one for each mount. */
async function idIn(folder: string): Promise<string | undefined> {
  try {
    return (await FileDomain.idsBelow(folder))[0];
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function holdsOther(folder: string, id: string, known: readonly StorageDomain[]): ExportDomainError {
  const ours = known.find((domain) => domain.id === id);
  const title =
    ours === undefined ? `storage domain ${id}, which this engine does not know` : `storage domain ${ours.name}`;
  return new ExportDomainError(`${folder} holds ${title}`, {
    // A host may be making it.
    retry: ours === undefined ? "transient" : "never",
    context: { folder, storageDomain: id },
    hint:
      ours === undefined
        ? "It may be of another engine, or of another node that shares the folder: choose another folder. Remove it only when you know what it was."
        : "A folder holds one: choose another folder, or name that domain with `exportDomain:` in ovault.yaml.",
  });
}

function otherType({ name, type, id }: StorageDomain): ExportDomainError {
  return new ExportDomainError(`the engine has a storage domain ${name} already, of type ${type ?? "unknown"}`, {
    context: { storageDomain: id },
    hint: "Choose another name, with `exportDomain:` in ovault.yaml.",
  });
}

function secondDomain({ name, id }: StorageDomain, dataCenter: string, folder: string): ExportDomainError {
  return new ExportDomainError(
    `data center ${dataCenter} has the export domain ${name}, and an engine takes one for each data center`,
    {
      context: { storageDomain: id },
      hint: `If it lies in ${folder}, name it with \`exportDomain: ${name}\` in ovault.yaml. Else put it into maintenance and detach it in the manager first.`,
    },
  );
}

function elsewhere({ name, id }: StorageDomain, dataCenter: string): ExportDomainError {
  return new ExportDomainError(`export domain ${name} is attached to another data center than ${dataCenter}`, {
    context: { storageDomain: id },
    hint: "Give each data center a folder and an export domain of its own, under `dataCenters:` in ovault.yaml.",
  });
}
