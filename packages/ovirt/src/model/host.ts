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
  /** Of its SSH host key: `SHA256:…`, or MD5 in hexadecimal from old engines. */
  readonly sshFingerprint: string | undefined;
  /** Its SSH host key, as a line of authorized_keys (4.4.5). */
  readonly sshPublicKey: string | undefined;
  /** Virtual machines that run there. */
  readonly activeVms: number | undefined;
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
    sshPublicKey: element.value("ssh", "public_key"),
    activeVms: element.int("summary", "active"),
    spmStatus: element.child("spm")?.state("status") ?? spmOfVersion3(element),
    version: parseVersion(element),
  };
}

function spmOfVersion3(element: XmlElement): string | undefined {
  const manager = element.bool("storage_manager");
  if (manager === undefined) return undefined;
  return manager ? "spm" : "none";
}
