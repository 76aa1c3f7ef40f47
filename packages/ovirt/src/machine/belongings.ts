import { z } from "zod";

import type { EngineApi } from "../api/engine-api.ts";
import type { Vm } from "../model/vm.ts";
import { unlessRefused } from "../engine/refusal-of.ts";

const named = z.object({ id: z.string(), name: z.string() });

export const belongingsSchema = z.object({
  permissions: z.array(z.object({ role: named, user: named.optional(), group: named.optional() })).default([]),
  affinityLabels: z.array(named).default([]),
  affinityGroups: z.array(named).default([]),
});

/**
 * What an engine keeps outside a machine's configuration: permissions, affinity labels and groups. The inventory holds
 * the tags.
 */
export type Belongings = z.output<typeof belongingsSchema>;

/** Omits what the user may not see, and what the engine is too old for. */
export async function readBelongings(api: EngineApi, vm: Vm, signal: AbortSignal): Promise<Belongings> {
  const { clusterId } = vm;
  const [permissions, affinityLabels, groups] = await Promise.all([
    unlessRefused(api.vms.permissions(vm.id, signal)),
    unlessRefused(api.vms.affinityLabels(vm.id, signal)),
    clusterId === undefined ? undefined : unlessRefused(api.infrastructure.affinityGroups(clusterId, signal)),
  ]);
  const ofVm = groups?.filter(({ vmIds }) => vmIds.includes(vm.id)) ?? [];
  return {
    permissions: [...(permissions ?? [])],
    affinityLabels: [...(affinityLabels ?? [])],
    affinityGroups: ofVm.map(({ id, name }) => ({ id, name })),
  };
}
