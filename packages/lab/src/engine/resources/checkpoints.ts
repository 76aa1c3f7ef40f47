import type { EngineApi } from "../engine-api.ts";
import type { EngineCore } from "../engine-core.ts";
import type { CheckpointState } from "../engine-state.ts";
import { actionDone, linksBelow, ok, reference } from "../http/api-reply.ts";
import { get, remove, type Route } from "../http/router.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import { diskContent } from "./disks.ts";

/** `/vms/{vm}/checkpoints`, from 4.4 on. */
export function checkpointRoutes({ core, checkpoints }: EngineApi): readonly Route[] {
  if (!core.behaviour.backups) return [];
  return [
    get("/vms/:vm/checkpoints", (request) => {
      const vm = core.vm(request.param("vm"));
      const all = vm.checkpoints.map((checkpoint) => checkpointContent(core, vm.id, checkpoint));
      return ok("checkpoints", { checkpoint: all });
    }),
    get("/vms/:vm/checkpoints/:checkpoint", (request) => {
      const vmId = request.param("vm");
      return ok("checkpoint", checkpointContent(core, vmId, checkpoints.get(vmId, request.param("checkpoint"))));
    }),
    get("/vms/:vm/checkpoints/:checkpoint/disks", async (request) => {
      const { diskIds } = checkpoints.get(request.param("vm"), request.param("checkpoint"));
      const disks = diskIds.map((id) => core.state.disks[id]).filter((disk) => disk !== undefined);
      return ok("disks", { disk: await Promise.all(disks.map((disk) => diskContent(core, disk))) });
    }),
    remove("/vms/:vm/checkpoints/:checkpoint", (request) => {
      checkpoints.remove(request.param("vm"), request.param("checkpoint"));
      return actionDone();
    }),
  ];
}

function checkpointContent({ behaviour }: EngineCore, vmId: string, checkpoint: CheckpointState): XmlObject {
  const path = `/vms/${vmId}/checkpoints`;
  return {
    ...reference(path, checkpoint.id),
    description: checkpoint.description,
    ...linksBelow(`${path}/${checkpoint.id}`, "disks"),
    creation_date: checkpoint.createdAt,
    parent_id: checkpoint.parentId,
    state: behaviour.checkpointState ? checkpoint.state : undefined,
    vm: reference("/vms", vmId),
  };
}
