import type { EngineApi } from "../engine-api.ts";
import type { EngineCore } from "../engine-core.ts";
import type { BackupState } from "../engine-state.ts";
import { notFound } from "../engine-fault.ts";
import { accepted, actionDone, actionsOf, linksBelow, ok, reference } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, type Route } from "../http/router.ts";
import { hostOf } from "../placement.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import { diskContent } from "./disks.ts";

/** `/vms/{vm}/backups`, from 4.4 on. */
export function backupRoutes({ core, backups }: EngineApi): readonly Route[] {
  if (!core.behaviour.backups) return [];
  const disksOf = async (request: ApiRequest): Promise<readonly XmlObject[]> => {
    const backup = backups.get(request.param("vm"), request.param("backup"));
    return Promise.all(
      backup.disks.map(async ({ diskId, mode }) => ({
        ...(await diskContent(core, core.disk(diskId))),
        backup_mode: mode,
      })),
    );
  };
  return [
    get("/vms/:vm/backups", (request) =>
      ok("backups", { backup: backups.list(request.param("vm")).map((backup) => backupContent(core, backup)) }),
    ),
    post("/vms/:vm/backups", (request) => {
      const { body } = request;
      const backup = backups.start(request.param("vm"), {
        id: body.attribute("id"),
        description: body.text("description") ?? "",
        fromCheckpointId: body.text("from_checkpoint_id"),
        diskIds: body
          .children("disks", "disk")
          .map((disk) => disk.attribute("id"))
          .filter((id) => id !== undefined),
        requireConsistency: request.query.get("require_consistency") === "true",
        correlationId: request.correlationId,
      });
      return accepted("backup", backupContent(core, backup));
    }),
    get("/vms/:vm/backups/:backup", (request) =>
      ok("backup", backupContent(core, backups.get(request.param("vm"), request.param("backup")))),
    ),
    post("/vms/:vm/backups/:backup/finalize", (request) =>
      actionDone(backups.finalize(request.param("vm"), request.param("backup"), request.correlationId)),
    ),
    get("/vms/:vm/backups/:backup/disks", async (request) => ok("disks", { disk: await disksOf(request) })),
    get("/vms/:vm/backups/:backup/disks/:disk", async (request) => {
      const content = (await disksOf(request)).find((disk) => disk["@id"] === request.param("disk"));
      if (content === undefined) throw notFound();
      return ok("disk", content);
    }),
  ];
}

function backupContent({ state, behaviour }: EngineCore, backup: BackupState): XmlObject {
  const path = `/vms/${backup.vmId}/backups`;
  const vm = state.vms[backup.vmId];
  const host = vm === undefined ? undefined : hostOf(state.inventory, vm);
  return {
    ...reference(path, backup.id),
    ...actionsOf(`${path}/${backup.id}`, "finalize"),
    description: backup.description,
    ...linksBelow(`${path}/${backup.id}`, "disks"),
    creation_date: backup.createdAt,
    from_checkpoint_id: backup.fromCheckpointId,
    modification_date: behaviour.finalPhases ? backup.modifiedAt : undefined,
    phase: backup.betweenPhases ? undefined : backup.phase,
    to_checkpoint_id: backup.toCheckpointId,
    host: host === undefined ? undefined : reference("/hosts", host.id),
    vm: reference("/vms", backup.vmId),
  };
}
