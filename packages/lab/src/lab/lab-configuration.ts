import { chmod, readFile, writeFile } from "node:fs/promises";
import { relative } from "node:path";

import { systemErrorCode, type SecretReference } from "@ovault/contract";
import { parseDocument, stringify } from "yaml";

import type { LabStagingPlace } from "../staging/lab-staging.ts";
import type { LabHostStatus, LabVm } from "./lab-control.ts";
import { LabDirectory } from "./lab-directory.ts";

/** A configuration for ovault, in the shape of ovault.yaml; paths are relative to the lab's directory. */
export interface LabConfiguration {
  readonly managers: {
    readonly lab: {
      readonly type: "ovirt";
      readonly url: string;
      readonly user: string;
      readonly password: { readonly file: string };
      readonly ca: { readonly file: string };
      readonly pollMs: number;
      readonly inFlightMs: number;
    };
  };
  readonly destinations: {
    readonly main: {
      readonly type: "filesystem";
      readonly directory: string;
      readonly encryption?: { readonly passphrase: SecretReference };
    };
  };
  readonly strategies: {
    readonly "disk-attachment"?: { readonly proxyVm: string; readonly deviceDirectory: string };
    readonly "ssh-transfer"?: {
      readonly login: { readonly user: string; readonly privateKey: string };
      /** Absolute. */
      readonly dataCenterDirectory: string;
    };
    readonly "export-domain"?: {
      readonly staging: string;
      readonly dataCenters?: Readonly<Record<string, { readonly folder: string }>>;
    };
  };
  readonly defaults: { readonly manager: "lab"; readonly destination: "main" };
  readonly state: string;
}

/** The parts of a lab that its configuration depends on. */
export interface ConfigurableLab {
  readonly directory: string;
  readonly url: string;
  readonly user: string;
  /** Source of the passphrase of an encrypted destination. */
  readonly passphrase?: SecretReference | undefined;
  /** ovault runs in the first one that shows its devices. */
  readonly vms?: readonly Pick<LabVm, "name" | "devices">[];
  /** ovault logs in to those that the lab runs. */
  readonly hosts?: readonly Pick<LabHostStatus, "ssh">[];
  readonly staging?: readonly LabStagingPlace[];
}

/** Polling interval, in ms: the lab is faster than an engine. */
const POLL_MS = 100;
const IN_FLIGHT_MS = 2_000;
/** Place of the directory of the storage. */
const STORAGE = ["strategies", "ssh-transfer", "dataCenterDirectory"];

export function labConfiguration(lab: ConfigurableLab): LabConfiguration {
  const { path, passwordFile, caFile, loginKey, dataCenters } = new LabDirectory(lab.directory);
  const { passphrase, vms = [], hosts = [], staging = [] } = lab;
  const [proxy] = vms.flatMap(({ name, devices }) => (devices === undefined ? [] : { name, devices }));
  const user = hosts.find(({ ssh }) => ssh?.tools !== undefined)?.ssh?.user;
  return {
    managers: {
      lab: {
        type: "ovirt",
        url: lab.url,
        user: lab.user,
        password: { file: relative(path, passwordFile) },
        ca: { file: relative(path, caFile) },
        pollMs: POLL_MS,
        inFlightMs: IN_FLIGHT_MS,
      },
    },
    destinations: {
      main: {
        type: "filesystem",
        directory: "repository",
        ...(passphrase !== undefined && { encryption: { passphrase } }),
      },
    },
    strategies: {
      ...(proxy !== undefined && {
        "disk-attachment": { proxyVm: proxy.name, deviceDirectory: relative(path, proxy.devices) },
      }),
      ...(user !== undefined && {
        "ssh-transfer": { login: { user, privateKey: relative(path, loginKey) }, dataCenterDirectory: dataCenters },
      }),
      ...(staging.length > 0 && { "export-domain": stagingOptions(path, staging) }),
    },
    defaults: { manager: "lab", destination: "main" },
    state: "state",
  };
}

/** One data centre has the staging folder itself; several have one each. */
function stagingOptions(
  path: string,
  places: readonly LabStagingPlace[],
): NonNullable<LabConfiguration["strategies"]["export-domain"]> {
  const [only, ...others] = places;
  if (only !== undefined && others.length === 0) return { staging: relative(path, only.folder) };
  const folders = places.map(({ dataCenter, folder }) => [dataCenter, { folder: relative(path, folder) }] as const);
  return { staging: relative(path, new LabDirectory(path).staging), dataCenters: Object.fromEntries(folders) };
}

/**
 * Writes `ovault.yaml`, ready to use, into the lab's directory. Keeps an existing one with its changes, except for the
 * url and the directory of the storage, which follow the lab. Answers with the path.
 */
export async function writeLabConfiguration(lab: ConfigurableLab): Promise<string> {
  const { configurationFile } = new LabDirectory(lab.directory);
  const present = await readIfPresent(configurationFile);
  const text = present === undefined ? stringify(labConfiguration(lab)) : withPlaces(present, lab);
  await writeFile(configurationFile, text, { mode: 0o600 });
  await chmod(configurationFile, 0o600);
  return configurationFile;
}

function withPlaces(text: string, { url, directory }: ConfigurableLab): string {
  const document = parseDocument(text);
  document.setIn(["managers", "lab", "url"], url);
  if (document.hasIn(STORAGE)) document.setIn(STORAGE, new LabDirectory(directory).dataCenters);
  return document.toString();
}

async function readIfPresent(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
