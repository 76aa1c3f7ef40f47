import { ownAttachments } from "../attachments.ts";
import type { EngineCore } from "../engine-core.ts";
import type { VmState } from "../engine-state.ts";
import type { SearchTable } from "../http/search.ts";
import { blankTemplate, dataCenterOf, known } from "../inventory.ts";
import { hostOf } from "../placement.ts";
import type { TagOperations } from "../operations/tag-operations.ts";
import { setting } from "../vm-settings.ts";

const MIB = 1024 ** 2;

function text(path: string): (vm: VmState) => string {
  return ({ settings }) => setting(settings, path);
}

/** Searchable fields of `/vms`. */
export function vmSearch({ state }: EngineCore, tags: TagOperations): SearchTable<VmState> {
  const { inventory } = state;
  const host = (vm: VmState): string => (vm.status === "down" ? "" : hostOf(inventory, vm).name);
  const storage = (vm: VmState): readonly string[] =>
    ownAttachments(vm).flatMap(({ diskId }) => {
      const disk = state.disks[diskId];
      return disk === undefined ? [] : [known(inventory.storageDomains, disk.storageDomainId).name];
    });
  return {
    fields: {
      id: ({ id }) => id,
      name: ({ name }) => name,
      comment: text("comment"),
      description: text("description"),
      status: ({ status }) => [status, status.replaceAll("_", "")],
      on_host: host,
      host,
      "host.name": host,
      cluster: ({ clusterId }) => known(inventory.clusters, clusterId).name,
      datacenter: ({ clusterId }) => dataCenterOf(inventory, clusterId).name,
      tag: (vm) => tags.withAncestors(vm).map(({ name }) => name),
      os: text("os.type"),
      type: text("type"),
      memory: ({ settings }) => Number(setting(settings, "memory")) / MIB,
      guaranteed_memory: ({ settings }) => Number(setting(settings, "memory_policy.guaranteed")) / MIB,
      custom_cpu_type: text("custom_cpu_model"),
      custom_emulated_machine: text("custom_emulated_machine"),
      bios_type: text("bios.type"),
      architecture: () => "x86_64",
      creationdate: ({ createdAt }) => createdAt,
      template: () => blankTemplate.name,
      "template.name": () => blankTemplate.name,
      storage,
      "storage.name": storage,
    },
    unplayed: [
      "address",
      "apps",
      "compatibility_level",
      "cpu_usage",
      "created_by_user_id",
      "custom_compatibility_level",
      "event.",
      "fqdn",
      "has_illegal_images",
      "host.",
      "ip",
      "k8s_namespace",
      "loggedinuser",
      "mem_usage",
      "migration_progress_percent",
      "network_usage",
      "next_run_config_exists",
      "pool",
      "quota",
      "storage.",
      "template.",
      "uptime",
      "user.",
      "vcpus",
      "vnic.",
    ],
  };
}
