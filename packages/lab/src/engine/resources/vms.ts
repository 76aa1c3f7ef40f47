import type { EngineApi } from "../engine-api.ts";
import type { EngineCore } from "../engine-core.ts";
import type { Inventory, NicState, VmState } from "../engine-state.ts";
import { accepted, actionDone, actionsOf, created, linksBelow, ok, reference } from "../http/api-reply.ts";
import { get, post, put, remove, type Route } from "../http/router.ts";
import { searched } from "../http/search.ts";
import { writeOvf } from "../ovf/write-ovf.ts";
import type { VmRequest } from "../operations/vm-operations.ts";
import { badRequest, incomplete, notFound } from "../engine-fault.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { isXmlObject, type XmlObject } from "../xml/xml-value.ts";
import { blankTemplate, findNamed } from "../inventory.ts";
import { hostOf } from "../placement.ts";
import { templateOf } from "../templates.ts";
import { vmSearch } from "./vm-search.ts";
import type { XmlNode } from "../xml/read-xml.ts";
import { readSettings, settingsContent, type VmSettings } from "../vm-settings.ts";

const HOST_ADDRESS = "127.0.0.1";
/** Nothing listens at this port. */
const CONSOLE_PORT = 5900;
/** The only device of a guest without a network card. */
const LOOPBACK = "00000000-0000-0000-0000-00000000006c";

/** `/vms`: the machines themselves; their subcollections have their own files. */
export function vmRoutes({ core, guests, tags, vms }: EngineApi): readonly Route[] {
  const clusters = () => core.state.inventory.clusters;
  return [
    get("/vms", (request) => {
      const found = searched(request, Object.values(core.state.vms), vmSearch(core, tags));
      return ok("vms", { vm: found.map((vm) => vmContent(core, vm, request)) });
    }),
    post("/vms", async (request) => {
      const wanted = readVm(core, request);
      const waits = wanted.ovf !== undefined && !core.behaviour.blockingImport;
      const answer = waits || wanted.snapshotId !== undefined ? accepted : created;
      return answer("vm", vmContent(core, await vms.create(wanted), request));
    }),
    get("/vms/:vm", (request) => ok("vm", vmContent(core, core.vm(request.param("vm")), request))),
    put("/vms/:vm", (request) => {
      const vm = core.vm(request.param("vm"));
      const { body } = request;
      const cluster = body.child("cluster") === undefined ? undefined : findNamed(clusters(), "Vm", body, "cluster");
      vms.update(vm.id, { name: body.exactText("name"), clusterId: cluster?.id, settings: vmSettingsOf(core, body) });
      return ok("vm", vmContent(core, vm, request));
    }),
    remove("/vms/:vm", (request) => {
      const detachOnly = request.query.get("detach_only") === "true" || request.body.flag("vm", "detach_only") === true;
      vms.remove(request.param("vm"), { detachOnly, correlationId: request.correlationId });
      return actionDone();
    }),
    post("/vms/:vm/start", (request) => {
      const [host] = wantedHosts(core, request.body.child("vm"));
      vms.start(request.param("vm"), { host, correlationId: request.correlationId });
      return actionDone();
    }),
    post("/vms/:vm/stop", (request) => {
      vms.stop(request.param("vm"), "stop", request.correlationId);
      return actionDone();
    }),
    post("/vms/:vm/shutdown", (request) => {
      vms.stop(request.param("vm"), "shutdown", request.correlationId);
      return actionDone();
    }),
    post("/vms/:vm/migrate", (request) => {
      const { body, correlationId } = request;
      const host = body.child("host") && findNamed(core.state.inventory.hosts, "Action", body, "host").id;
      vms.migrate(request.param("vm"), { host, correlationId });
      return actionDone();
    }),
    post("/vms/:vm/freezefilesystems", async (request) => {
      await guests.freeze(request.param("vm"));
      return actionDone();
    }),
    post("/vms/:vm/thawfilesystems", (request) => {
      guests.thaw(request.param("vm"));
      return actionDone();
    }),
    get("/vms/:vm/reporteddevices", (request) =>
      ok("reported_devices", { reported_device: reportedDevices(core.vm(request.param("vm"))) }),
    ),
    get("/vms/:vm/reporteddevices/:device", (request) => {
      const found = reportedDevices(core.vm(request.param("vm"))).find((one) => one["@id"] === request.param("device"));
      if (found === undefined) throw notFound();
      return ok("reported_device", found);
    }),
  ];
}

/** Devices that the guest agent reports: none without an agent, or while it does not run. */
function reportedDevices(vm: VmState): readonly XmlObject[] {
  if (vm.status !== "up" || vm.guestAgent === false) return [];
  const device = ({ id, mac }: NicState, index: number): XmlObject => ({
    ...reference(`/vms/${vm.id}/reporteddevices`, id),
    name: `eth${index}`,
    mac: { address: mac },
    type: "network",
  });
  return [{ "@id": LOOPBACK, name: "lo", type: "network" }, ...vm.nics.map(device)];
}

function readVm(core: EngineCore, { body, correlationId }: ApiRequest): VmRequest {
  const cluster = findNamed(core.state.inventory.clusters, "Vm", body, "cluster");
  const type = body.text("initialization", "configuration", "type");
  if (type !== undefined && type !== "ovf")
    throw badRequest(`Cannot import VM. Configuration type ${type} is not known here.`);
  const ovf = body.text("initialization", "configuration", "data");
  const [snapshot] = body.children("snapshots", "snapshot");
  const snapshotId = snapshot?.attribute("id");
  if (snapshot !== undefined && snapshotId === undefined) throw incomplete("Snapshot", "id");
  if (ovf === undefined && snapshotId === undefined) findNamed([blankTemplate], "Vm", body, "template");
  return {
    name: body.exactText("name"),
    clusterId: cluster.id,
    settings: vmSettingsOf(core, body, [
      "initialization.configuration",
      "initialization.regenerate_ids",
      "snapshots",
      "disk_attachments",
    ]),
    ovf,
    snapshotId,
    domainsOfCopies: domainsOfCopies(core, body),
    regenerateIds: body.flag("initialization", "regenerate_ids") ?? false,
    correlationId,
  };
}

/** Where a clone's disks go: `<disk id="copied"><storage_domains>` of its attachments. */
function domainsOfCopies({ state }: EngineCore, body: XmlNode): ReadonlyMap<string, string> {
  const disks = body.children("disk_attachments", "disk_attachment", "disk");
  return new Map(
    disks.flatMap((disk) => {
      const [id, domains] = [disk.attribute("id"), disk.child("storage_domains")];
      if (id === undefined || domains === undefined) return [];
      return [[id, findNamed(state.inventory.storageDomains, "Disk", domains, "storage_domain").id] as const];
    }),
  );
}

/** Like `readSettings`, but also accepts hosts by name. */
function vmSettingsOf(core: EngineCore, body: XmlNode, further: readonly string[] = []): VmSettings {
  const settings = readSettings(body, further);
  if (body.child("placement_policy", "hosts") === undefined) return settings;
  return { ...settings, "placement_policy.hosts": wantedHosts(core, body) };
}

/** Ids of the hosts in the placement policy of a machine. */
function wantedHosts({ state }: EngineCore, vm: XmlNode | undefined): readonly string[] {
  const { hosts } = state.inventory;
  const wanted = vm?.child("placement_policy", "hosts")?.children("host") ?? [];
  return wanted.map((host) => findNamed(hosts, "Vm", host.wrapped("host"), "host").id);
}

function vmContent(core: EngineCore, vm: VmState, request: ApiRequest): XmlObject {
  const { state } = core;
  const { inventory } = state;
  const settings = settingsContent(vm.settings, { all: request.allContent });
  const path = `/vms/${vm.id}`;
  const below = [
    "snapshots",
    "diskattachments",
    "nics",
    "numanodes",
    "permissions",
    "reporteddevices",
    "tags",
    "cdroms",
    "graphicsconsoles",
  ];
  const backups = core.behaviour.backups ? ["backups", "checkpoints"] : [];
  return {
    ...reference("/vms", vm.id),
    ...actionsOf(path, "start", "stop", "shutdown", "freezefilesystems", "thawfilesystems"),
    name: vm.name,
    ...linksBelow(path, ...below, ...backups),
    ...settings,
    cpu: { architecture: "x86_64", ...(isXmlObject(settings["cpu"]) ? settings["cpu"] : {}) },
    creation_time: vm.createdAt,
    display: { ...(isXmlObject(settings["display"]) && settings["display"]), ...consoleOf(vm, inventory) },
    initialization: request.allContent
      ? { configuration: { data: writeOvf(vm, state), type: "ovf" } }
      : { regenerate_ssh_keys: false },
    origin: "ovirt",
    cluster: reference("/clusters", vm.clusterId),
    run_once: false,
    status: vm.status,
    host: vm.status === "down" ? undefined : reference("/hosts", hostOf(state.inventory, vm).id),
    original_template: reference("/templates", templateOf(state, vm).id),
    template: reference("/templates", templateOf(state, vm).id),
  };
}

/** Address at which the console of a running machine would be; the lab has none. */
function consoleOf(vm: VmState, inventory: Inventory): XmlObject {
  if (vm.status === "down" || vm.status === "image_locked") return {};
  return {
    address: HOST_ADDRESS,
    certificate: { organization: "ovault", subject: `O=ovault,CN=${hostOf(inventory, vm).name}` },
    port: CONSOLE_PORT,
    single_qxl_pci: false,
  };
}
