import type { EngineApi } from "../../api/engine-api.ts";
import type { Named } from "../../model/named.ts";
import type { Permission } from "../../model/permission.ts";
import type { Belongings } from "../../machine/belongings.ts";
import { refusalOf, unlessRefused } from "../../engine/refusal-of.ts";

export interface GiveBackRequest {
  readonly vmId: string;
  readonly clusterId: string;
  readonly tags: readonly string[];
  readonly belongings: Belongings;
}

/**
 * Gives a restored machine the point's tags, permissions, affinity labels and affinity groups. Finds entities by id, or
 * by name on another engine. Creates a missing tag, because policies select machines by it.
 *
 * @returns what it could not give, for people
 */
export async function giveBack(
  api: EngineApi,
  { vmId, clusterId, tags, belongings }: GiveBackRequest,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { permissions, affinityLabels, affinityGroups } = belongings;
  return [
    ...(tags.length === 0 ? [] : await giveTags(api, vmId, tags, signal)),
    ...(permissions.length === 0 ? [] : await givePermissions(api, vmId, permissions, signal)),
    ...(affinityLabels.length === 0 ? [] : await giveLabels(api, vmId, affinityLabels, signal)),
    ...(affinityGroups.length === 0 ? [] : await joinGroups(api, { vmId, clusterId }, affinityGroups, signal)),
  ];
}

async function giveTags(
  api: EngineApi,
  vmId: string,
  tags: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const has = await api.vms.tags(vmId, signal);
  const known = (await unlessRefused(api.infrastructure.tags(signal))) ?? [];
  return await eachRefused(
    tags.filter((tag) => !has.includes(tag)),
    async (tag) => {
      const made = known.includes(tag) ? undefined : await refusalOf(api.infrastructure.createTag(tag, signal));
      const refusal = made ?? (await refusalOf(api.vms.addTag(vmId, tag, signal)));
      return refusal === undefined ? undefined : `the new machine does not have the tag ${tag}: ${refusal}`;
    },
  );
}

async function givePermissions(
  api: EngineApi,
  vmId: string,
  permissions: Belongings["permissions"],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { infrastructure } = api;
  const [has = [], roles = [], users = [], groups = []] = await Promise.all([
    unlessRefused(api.vms.permissions(vmId, signal)),
    unlessRefused(infrastructure.roles(signal)),
    unlessRefused(infrastructure.users(signal)),
    unlessRefused(infrastructure.groups(signal)),
  ]);
  const people = users.map(({ id, userName, name }) => ({ id, name: userName ?? name ?? id }));
  return await eachRefused(permissions, async (permission) => {
    const { role, user, group } = permission;
    const who = (user ?? group)?.name ?? "an unknown user";
    const [given, toUser, toGroup] = [findNamed(role, roles), findNamed(user, people), findNamed(group, groups)];
    const lost = (reason: string): string => `${who} does not have the role ${role.name} on the new machine: ${reason}`;
    if (given === undefined) return lost("this engine has no such role");
    if (toUser === undefined && toGroup === undefined) return lost("this engine does not know the user or group");
    const wanted = { roleId: given.id, userId: toUser?.id, groupId: toGroup?.id };
    if (has.some((one) => isSame(one, wanted))) return undefined;
    const refusal = await refusalOf(api.vms.addPermission(vmId, wanted, signal));
    return refusal === undefined ? undefined : lost(refusal);
  });
}

function isSame(
  { role, user, group }: Permission,
  wanted: { readonly roleId: string; readonly userId: string | undefined; readonly groupId: string | undefined },
): boolean {
  return role.id === wanted.roleId && user?.id === wanted.userId && group?.id === wanted.groupId;
}

async function giveLabels(
  api: EngineApi,
  vmId: string,
  labels: readonly Named[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const known = (await unlessRefused(api.infrastructure.affinityLabels(signal))) ?? [];
  return await eachRefused(labels, async (label) => {
    const found = findNamed(label, known);
    const refusal =
      found === undefined
        ? "this engine has no such label"
        : await refusalOf(api.infrastructure.labelVm(found.id, vmId, signal));
    return refusal === undefined ? undefined : `the new machine lacks the affinity label ${label.name}: ${refusal}`;
  });
}

async function joinGroups(
  api: EngineApi,
  { vmId, clusterId }: Pick<GiveBackRequest, "vmId" | "clusterId">,
  groups: readonly Named[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const known = (await unlessRefused(api.infrastructure.affinityGroups(clusterId, signal))) ?? [];
  return await eachRefused(groups, async (group) => {
    const groupId = findNamed(group, known)?.id;
    const refusal =
      groupId === undefined
        ? "its cluster has no such group"
        : await refusalOf(api.infrastructure.addToAffinityGroup({ clusterId, groupId, vmId }, signal));
    return refusal === undefined ? undefined : `the new machine is not in the affinity group ${group.name}: ${refusal}`;
  });
}

function findNamed(wanted: Named | undefined, known: readonly Named[]): Named | undefined {
  if (wanted === undefined) return undefined;
  return known.find(({ id }) => id === wanted.id) ?? known.find(({ name }) => name === wanted.name);
}

/** One by one: engines lock the machine for each. */
async function eachRefused<T>(
  items: readonly T[],
  change: (item: T) => Promise<string | undefined>,
): Promise<string[]> {
  const refused: string[] = [];
  for (const item of items) {
    const refusal = await change(item);
    if (refusal !== undefined) refused.push(refusal);
  }
  return refused;
}
