import { API_PATH } from "./http/api-path.ts";

/** Engine releases that the lab can play. */
export const engineVersions = ["3.6", "4.0", "4.1", "4.2", "4.3", "4.4", "4.5"] as const;
export type EngineVersion = (typeof engineVersions)[number];

/** Products that are oVirt under another name. */
export const products = ["ovirt", "olvm"] as const;
export type Product = (typeof products)[number];

export type ApiVersion = 3 | 4;

interface Version {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
  readonly revision: number;
  readonly full: string;
}

/** Differences between releases that a backup product can see. */
export interface EngineBehaviour {
  readonly version: Version;
  /** Versions of the API. The first answers requests that name none. */
  readonly apiVersions: readonly ApiVersion[];
  /** Paths of the API: 3.6 has two. */
  readonly apiPaths: readonly string[];
  /** 4.0: single sign-on hands out tokens. Before: basic authentication alone. */
  readonly singleSignOn: boolean;
  /** 4.2: `follow` puts linked entities into an answer. */
  readonly follow: boolean;
  /** 4.2: image transfers of snapshots. */
  readonly snapshotTransfers: boolean;
  /** 4.2: disks show their content type, and the size of all their volumes. */
  readonly chainSize: boolean;
  /** `ovf:version` of the OVFs that it writes (`VdcVersion` of the engines' sources). */
  readonly ovfVersion: string;
  /** 4.2: OVFs name networks and cluster, and say whether a disk is read-only, shareable and so on. */
  readonly fullOvf: boolean;
  /** 4.3: sizes in OVFs are rounded up to whole GiB; before, down. */
  readonly ovfSizesRoundUp: boolean;
  /** Of data domains. */
  readonly storageFormat: "v3" | "v4" | "v5";
  /** Compatibility level of the data centre and the cluster. */
  readonly compatibility: { readonly major: number; readonly minor: number };
  /** `/vms/{id}/backups` and `/checkpoints` exist. */
  readonly backups: boolean;
  /** 4.4.7: backups reach `succeeded` or `failed`; finished backups and transfers stay a while. Before, they vanish. */
  readonly finalPhases: boolean;
  /** Before 4.4.7: inner stages of a backup are shown without any `phase`. */
  readonly phaseGaps: boolean;
  /** 4.4.7: checkpoints show `state`. */
  readonly checkpointState: boolean;
  /** 4.4.7: any checkpoint may be removed, also of a machine that is down. Before: the oldest, of a running one. */
  readonly anyCheckpointRemovable: boolean;
  /** 4.5: the caller may choose the id of a backup. */
  readonly ownBackupId: boolean;
  /** 4.5: creating from an OVF answers when all is done (201), before at once (202). */
  readonly blockingImport: boolean;
  /** Up to 4.3: transfers carry a signed ticket for the proxy. */
  readonly signedTicket: boolean;
  /** 4.3: transfers honour `format` and show it. Before, they always are of the volume's file. */
  readonly transferFormat: boolean;
  /** 4.4: imageio reports extents. */
  readonly extents: boolean;
  /** 4.4.3: `shallow` transfers, parent links of disk snapshots. */
  readonly shallow: boolean;
  /** 4.4.5: `timeout_policy` of transfers. */
  readonly timeoutPolicy: boolean;
  /**
   * 4.4.5: hosts show their public SSH key, the strongest; before, only the fingerprint of an RSA key
   * (https://bugzilla.redhat.com/1837221).
   */
  readonly hostPublicKey: boolean;
}

/** Earlier releases are this one with less. */
const release42: EngineBehaviour = {
  version: { major: 4, minor: 2, build: 8, revision: 2, full: "4.2.8.2-1.el7" },
  apiVersions: [4, 3],
  apiPaths: [API_PATH],
  singleSignOn: true,
  follow: true,
  snapshotTransfers: true,
  chainSize: true,
  ovfVersion: "4.1.0.0",
  fullOvf: true,
  ovfSizesRoundUp: false,
  storageFormat: "v4",
  compatibility: { major: 4, minor: 2 },
  backups: false,
  finalPhases: false,
  phaseGaps: true,
  checkpointState: false,
  anyCheckpointRemovable: false,
  ownBackupId: false,
  blockingImport: false,
  signedTicket: true,
  transferFormat: false,
  extents: false,
  shallow: false,
  timeoutPolicy: false,
  hostPublicKey: false,
};

const release41: EngineBehaviour = {
  ...release42,
  version: { major: 4, minor: 1, build: 9, revision: 1, full: "4.1.9.1-1.el7.centos" },
  compatibility: { major: 4, minor: 1 },
  follow: false,
  snapshotTransfers: false,
  chainSize: false,
  fullOvf: false,
};

const behaviours: Readonly<Record<EngineVersion, EngineBehaviour>> = {
  "3.6": {
    ...release41,
    version: { major: 3, minor: 6, build: 7, revision: 5, full: "3.6.7.5-1.el6" },
    apiVersions: [3],
    apiPaths: [API_PATH, "/api"],
    singleSignOn: false,
    compatibility: { major: 3, minor: 6 },
    ovfVersion: "3.6.0.0",
    storageFormat: "v3",
  },
  "4.0": {
    ...release41,
    version: { major: 4, minor: 0, build: 6, revision: 3, full: "4.0.6.3-1.el7.centos" },
    compatibility: { major: 4, minor: 0 },
    ovfVersion: "4.0.0.0",
    storageFormat: "v3",
  },
  "4.1": release41,
  "4.2": release42,
  "4.3": {
    version: { major: 4, minor: 3, build: 10, revision: 4, full: "4.3.10.4-1.el7" },
    apiVersions: [4, 3],
    apiPaths: [API_PATH],
    singleSignOn: true,
    follow: true,
    snapshotTransfers: true,
    chainSize: true,
    ovfVersion: "4.1.0.0",
    fullOvf: true,
    ovfSizesRoundUp: true,
    storageFormat: "v5",
    compatibility: { major: 4, minor: 3 },
    backups: false,
    finalPhases: false,
    phaseGaps: true,
    checkpointState: false,
    anyCheckpointRemovable: false,
    ownBackupId: false,
    blockingImport: false,
    signedTicket: true,
    transferFormat: true,
    extents: false,
    shallow: false,
    timeoutPolicy: false,
    hostPublicKey: false,
  },
  "4.4": {
    version: { major: 4, minor: 4, build: 6, revision: 8, full: "4.4.6.8-1.el8" },
    apiVersions: [4],
    apiPaths: [API_PATH],
    singleSignOn: true,
    follow: true,
    snapshotTransfers: true,
    chainSize: true,
    ovfVersion: "4.4.0.0",
    fullOvf: true,
    ovfSizesRoundUp: true,
    storageFormat: "v5",
    compatibility: { major: 4, minor: 5 },
    backups: true,
    finalPhases: false,
    phaseGaps: true,
    checkpointState: false,
    anyCheckpointRemovable: false,
    ownBackupId: false,
    blockingImport: false,
    signedTicket: false,
    transferFormat: true,
    extents: true,
    shallow: true,
    timeoutPolicy: true,
    hostPublicKey: true,
  },
  "4.5": {
    version: { major: 4, minor: 5, build: 5, revision: 0, full: "4.5.5-1.el8" },
    apiVersions: [4],
    apiPaths: [API_PATH],
    singleSignOn: true,
    follow: true,
    snapshotTransfers: true,
    chainSize: true,
    ovfVersion: "4.4.0.0",
    fullOvf: true,
    ovfSizesRoundUp: true,
    storageFormat: "v5",
    compatibility: { major: 4, minor: 6 }, // 4.7 would switch hybrid backups on
    backups: true,
    finalPhases: true,
    phaseGaps: false,
    checkpointState: true,
    anyCheckpointRemovable: true,
    ownBackupId: true,
    blockingImport: true,
    signedTicket: false,
    transferFormat: true,
    extents: true,
    shallow: true,
    timeoutPolicy: true,
    hostPublicKey: true,
  },
};

export function behaviourOf(version: EngineVersion): EngineBehaviour {
  return behaviours[version];
}

/** Name and vendor as the API root gives them. */
export function productInfo(product: Product): { readonly name: string; readonly vendor: string } {
  return product === "olvm"
    ? { name: "Oracle Linux Virtualization Manager", vendor: "Oracle" }
    : { name: "oVirt Engine", vendor: "ovirt.org" };
}
