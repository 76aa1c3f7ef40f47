import type { EngineCore } from "../engine-core.ts";
import type { EngineState, HostSsh, HostState, VmState } from "../engine-state.ts";
import { reference, actionsOf } from "../http/api-reply.ts";
import { known } from "../inventory.ts";
import { hostOf, isUp } from "../placement.ts";
import { sshFingerprint } from "../../hosts/ssh-key.ts";
import type { EngineBehaviour } from "../versions.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import { nameOfCenter, namesIn, type Catalogue } from "./catalogue.ts";

const ADDRESS = "127.0.0.1";
const SSH_PORT = 22;

/** `/hosts`. Statuses and machines are read anew for each answer. */
export function hosts({ state, behaviour }: EngineCore): Catalogue {
  const { inventory } = state;
  const entities = inventory.hosts.map((host) => {
    const { id, name, clusterId, ssh } = host;
    const cluster = known(inventory.clusters, clusterId);
    return {
      id,
      name,
      content: {
        ...reference("/hosts", id),
        ...actionsOf(`/hosts/${id}`, "activate", "deactivate"),
        name,
        comment: "",
        address: ssh?.address ?? ADDRESS,
        hardware_information: { uuid: id },
        get spm(): XmlObject {
          return { priority: 5, status: isManager(state, host) ? "spm" : "none" };
        },
        ssh: sshContent(ssh, behaviour),
        get status(): string {
          return host.status ?? "up";
        },
        get summary(): XmlObject {
          const machines = machinesOn(state, host);
          const migrating = machines.filter(({ status }) => status === "migrating").length;
          return { active: machines.length - migrating, migrating, total: machines.length };
        },
        type: "rhel",
        cluster: reference("/clusters", clusterId),
      },
      fields: {
        get status(): string {
          return host.status ?? "up";
        },
        address: ssh?.address ?? ADDRESS,
        cluster: cluster.name,
        datacenter: nameOfCenter(inventory, cluster.dataCenterId),
        hw_id: id,
        comment: "",
        type: "rhel",
        architecture: "x86_64",
        "storage.name": namesIn(inventory.storageDomains, cluster.dataCenterId),
        get "vm.name"(): readonly string[] {
          return machinesOn(state, host).map((vm) => vm.name);
        },
      },
      ownerId: clusterId,
    };
  });
  const unplayed = [
    "active_vms",
    "committed_mem",
    "cpu_model",
    "cpu_speed",
    "cpu_usage",
    "cpus",
    "event.",
    "external_status",
    "ha_score",
    "load",
    "mem_usage",
    "memory",
    "migrating_vms",
    "network_usage",
    "nic.",
    "spm_id",
    "storage.",
    "tag",
    "template.",
    "update_available",
    "user.",
    "version",
    "vm.",
  ];
  return { path: "/hosts", root: "hosts", element: "host", entities, unplayed };
}

/** What an engine knows of a host's SSH server. Without one, the port alone. */
function sshContent(ssh: HostSsh | undefined, { hostPublicKey }: EngineBehaviour): XmlObject {
  if (ssh === undefined) return { port: SSH_PORT };
  const { port, publicKey } = ssh;
  return {
    fingerprint: sshFingerprint(publicKey),
    port,
    public_key: hostPublicKey ? publicKey : undefined,
  };
}

/** The storage pool manager of a data centre is its first host that is up. */
function isManager({ inventory: { hosts: all, clusters } }: EngineState, host: HostState): boolean {
  const centerOf = ({ clusterId }: HostState): string => known(clusters, clusterId).dataCenterId;
  return all.find((one) => isUp(one) && centerOf(one) === centerOf(host)) === host;
}

function machinesOn({ vms, inventory }: EngineState, host: HostState): readonly VmState[] {
  const running = Object.values(vms).filter(({ status }) => status !== "down" && status !== "image_locked");
  return running.filter((vm) => hostOf(inventory, vm) === host);
}
