import type { EngineApi } from "../engine-api.ts";
import type { EngineCore } from "../engine-core.ts";
import { timeoutPolicies, type HostState, type TransferState } from "../engine-state.ts";
import { actionDone, actionsOf, created, ok, reference } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, type Route } from "../http/router.ts";
import type { TransferRequest } from "../operations/transfer-operations.ts";
import { known } from "../inventory.ts";
import { isUp } from "../placement.ts";
import type { EngineBehaviour } from "../versions.ts";
import type { XmlObject } from "../xml/xml-value.ts";

const DEFAULT_INACTIVITY_SECONDS = 60;

/** `/imagetransfers` and its actions. */
export function imageTransferRoutes({ core, transfers }: EngineApi): readonly Route[] {
  const contentOf = (transfer: TransferState) => transferContent(core, transfer, transfers.url(transfer));
  return [
    get("/imagetransfers", () => ok("image_transfers", { image_transfer: transfers.list().map(contentOf) })),
    post("/imagetransfers", (request) => {
      const wanted = readTransfer(request, core.behaviour);
      return created("image_transfer", contentOf(transfers.create(wanted)));
    }),
    get("/imagetransfers/:transfer", (request) =>
      ok("image_transfer", contentOf(transfers.get(request.param("transfer")))),
    ),
    action("extend", (id) => transfers.extend(id)),
    action("pause", (id) => transfers.pause(id)),
    action("resume", (id) => transfers.resume(id)),
    action("cancel", (id) => transfers.cancel(id)),
    action("finalize", (id) => transfers.finalize(id)),
  ];
}

function action(name: string, act: (id: string) => void | Promise<void>): Route {
  return post(`/imagetransfers/:transfer/${name}`, async (request) => {
    await act(request.param("transfer"));
    return actionDone();
  });
}

function readTransfer({ body }: ApiRequest, { snapshotTransfers }: EngineBehaviour): TransferRequest {
  return {
    diskId: body.child("disk")?.attribute("id") ?? body.child("image")?.attribute("id"),
    volumeId: snapshotTransfers ? body.child("snapshot")?.attribute("id") : undefined,
    backupId: body.child("backup")?.attribute("id"),
    direction: body.choice(["upload", "download"], "direction") ?? "upload",
    format: body.choice(["raw", "cow"], "format"),
    shallow: body.flag("shallow") ?? false,
    inactivitySeconds: body.integer("inactivity_timeout") ?? DEFAULT_INACTIVITY_SECONDS,
    timeoutPolicy: body.choice(timeoutPolicies, "timeout_policy") ?? "legacy",
  };
}

function transferContent(core: EngineCore, transfer: TransferState, url: string | undefined): XmlObject {
  const { state, behaviour, faults } = core;
  const { backupId, volumeId } = transfer;
  const vmId = backupId === undefined ? undefined : state.backups[backupId]?.vmId;
  return {
    ...reference("/imagetransfers", transfer.id),
    ...actionsOf(`/imagetransfers/${transfer.id}`, "extend", "pause", "resume", "cancel", "finalize"),
    active: transfer.active,
    direction: transfer.direction,
    format: transfer.format,
    inactivity_timeout: transfer.inactivitySeconds,
    phase: transfer.phase,
    proxy_url: url,
    shallow: transfer.shallow,
    signed_ticket: behaviour.signedTicket ? transfer.ticketId : undefined,
    timeout_policy: behaviour.timeoutPolicy ? transfer.timeoutPolicy : undefined,
    transfer_url: url === undefined || faults.mode("proxy-only") === "off" ? url : atNobody(url),
    transferred: transfer.transferredBytes,
    backup: backupId === undefined || vmId === undefined ? undefined : reference(`/vms/${vmId}/backups`, backupId),
    disk: reference("/disks", transfer.diskId),
    host: reference("/hosts", hostOfDisk(core, transfer.diskId).id),
    image: { "@id": transfer.diskId },
    snapshot:
      volumeId === undefined
        ? undefined
        : reference(`/storagedomains/${state.disks[transfer.diskId]?.storageDomainId}/disksnapshots`, volumeId),
  };
}

/** A host that can access the disk's storage. */
function hostOfDisk({ state }: EngineCore, diskId: string): HostState {
  const { clusters, hosts, storageDomains } = state.inventory;
  const domain = storageDomains.find(({ id }) => id === state.disks[diskId]?.storageDomainId);
  const near = hosts.find(
    (host) => isUp(host) && known(clusters, host.clusterId).dataCenterId === domain?.dataCenterId,
  );
  return near ?? known(hosts, hosts[0]?.id ?? "");
}

/** The same URL with a port at which nothing listens. */
function atNobody(url: string): string {
  return Object.assign(new URL(url), { port: "1" }).href;
}
