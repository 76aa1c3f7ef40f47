import type { XmlElement } from "../engine/xml-element.ts";
import { parseVersion, type EngineVersion } from "./engine-version.ts";

/** A hypervisor. */
export interface Host {
  readonly id: string;
  readonly name: string;
  /** Absent for users who may not see it. */
  readonly address: string | undefined;
  readonly status: string | undefined;
  readonly clusterId: string | undefined;
  readonly sshPort: number | undefined;
  readonly sshFingerprint: string | undefined;
  /** `spm`, `contending`, `none`. */
  readonly spmStatus: string | undefined;
  /** VDSM's version on the host. */
  readonly version: EngineVersion | undefined;
}

/** Parses one `<host>`. */
export function parseHost(element: XmlElement): Host {
  return {
    id: element.requireId("host"),
    name: element.value("name") ?? "",
    address: element.value("address"),
    status: element.state("status"),
    clusterId: element.idOf("cluster"),
    sshPort: element.int("ssh", "port"),
    sshFingerprint: element.value("ssh", "fingerprint"),
    spmStatus: element.child("spm")?.state("status") ?? spmOfVersion3(element),
    version: parseVersion(element),
  };
}

function spmOfVersion3(element: XmlElement): string | undefined {
  const manager = element.bool("storage_manager");
  if (manager === undefined) return undefined;
  return manager ? "spm" : "none";
}
