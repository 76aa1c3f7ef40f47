import { type BackupRequest, type Consistency, observe, QuiesceError, type RunContext } from "@ovault/contract";
import {
  readyMachine,
  vmDocuments,
  warnOfFirmware,
  type Backup,
  type Capabilities,
  type OvirtManager,
} from "@ovault/ovirt";

import { abandonBackup } from "./abandon-backup.ts";
import { BACKED_UP_IN, isTracked } from "./assess-disk.ts";
import { keptCheckpoints } from "./base-marker.ts";
import { HeldBackup, type TrackedCheckpoint } from "./held-backup.ts";
import type { ChangedBlockTrackingOptions } from "./options.ts";
import { planModes } from "./plan-modes.ts";
import { startBackup, type StartedBackup } from "./start-backup.ts";

/** Starts a backup on the engine. Cleans up before it throws, as far as possible. */
export async function takeInstant(
  manager: OvirtManager,
  options: ChangedBlockTrackingOptions,
  request: BackupRequest,
  context: RunContext,
): Promise<HeldBackup> {
  const { vm } = request;
  const { runId, ledger, hooks, signal } = context;
  const api = manager.apiFor(runId, hooks);
  const capabilities = await manager.capabilities(signal);
  const plan = planModes(request);
  const now = await readyMachine({ api, vm, states: BACKED_UP_IN }, context);
  const documents = await vmDocuments(api, now, signal);
  warnOfFirmware(vm, now.ovf, hooks);
  const endDeadlineMs = options.finalizeTimeoutSeconds * 1_000;
  const started = await startBackup({
    api,
    capabilities,
    ledger,
    vm,
    diskIds: request.disks.map(({ id }) => id),
    terms: { checkpointId: plan.checkpointId, consistent: freezes(request, now.status, capabilities) },
    quiesce: request.quiesce,
    readyDeadlineMs: options.readyTimeoutSeconds * 1_000,
    endDeadlineMs,
    signal,
  });
  const { backup, handle, refusal } = started;
  const { checkpoint, consistency } = await lookAt(started, request, context, now.status).catch(
    async (error: unknown) => {
      await abandonBackup({ api, vm, backup: { id: backup.id, handle }, endDeadlineMs });
      throw error;
    },
  );
  return new HeldBackup({
    ...context,
    manager,
    options,
    api,
    capabilities,
    vm,
    documents,
    consistency,
    plan,
    backup: { id: backup.id, handle },
    refusal: refusal ?? whyNotSince(backup, plan.checkpointId),
    checkpoint,
    retiring: request.base === undefined ? [] : keptCheckpoints(request.base),
    endDeadlineMs,
  });
}

/**
 * Whether to request freezing. Hosts try it in any case, but report the outcome only on request.
 * @throws QuiesceError when it is required, and this engine does not support the request
 */
function freezes({ vm, quiesce }: BackupRequest, status: string, capabilities: Capabilities): boolean {
  if (quiesce === "never" || status === "down") return false;
  if (capabilities.requireConsistency || quiesce === "try") return capabilities.requireConsistency;
  const { full } = capabilities.product.version;
  throw new QuiesceError(`this engine (${full}) does not tell whether it froze the file systems of ${vm.name}`, {
    context: { vm: vm.id },
    hint: (field) =>
      `Engines do from 4.4.4 on. With an older one, freeze explicitly (\`freeze: explicit\`), or use ${field("quiesce", "try")}.`,
  });
}

async function lookAt(
  started: StartedBackup,
  request: BackupRequest,
  context: RunContext,
  status: string,
): Promise<{ checkpoint: TrackedCheckpoint | undefined; consistency: Consistency }> {
  const consistency = status === "down" ? "offline" : consistencyOf(started, request, context);
  return { checkpoint: await recordCheckpoint(started, request, context), consistency };
}

/** @throws QuiesceError when the required consistency was not reached */
function consistencyOf(
  { consistent, unfrozen, backup }: StartedBackup,
  { vm, quiesce }: BackupRequest,
  { hooks }: RunContext,
): Consistency {
  if (consistent && backup.snapshotId === undefined) return "filesystem";
  const reason = consistent ? "the engine made a snapshot of its own, and does not tell" : unfrozen;
  if (quiesce === "require") {
    throw new QuiesceError(`cannot tell whether the file systems of ${vm.name} were frozen: ${reason}`, {
      context: { vm: vm.id },
      hint: (field) => `Freeze explicitly (\`freeze: explicit\`), or use ${field("quiesce", "try")}.`,
    });
  }
  if (reason !== undefined) observe(hooks.warning, `the file systems of ${vm.name} were not frozen: ${reason}`);
  return "crash";
}

/** The checkpoint outlives the backup, so it gets its own entry. */
async function recordCheckpoint(
  { backup }: StartedBackup,
  { vm, disks }: BackupRequest,
  { ledger }: RunContext,
): Promise<TrackedCheckpoint | undefined> {
  const id = backup.toCheckpointId;
  if (id === undefined) return undefined;
  const handle = await ledger.open({
    kind: "checkpoint",
    title: `checkpoint of ${vm.name}`,
    detail: { vmId: vm.id, checkpointId: id },
  });
  return { id, handle, diskIds: disks.filter(isTracked).map((disk) => disk.id) };
}

/** Why the engine's changes are not those since our checkpoint; undefined when they are. */
function whyNotSince({ fromCheckpointId }: Backup, checkpointId: string | undefined): string | undefined {
  if (fromCheckpointId === checkpointId) return undefined;
  return "the engine does not say that the backup starts from the last point's checkpoint";
}
