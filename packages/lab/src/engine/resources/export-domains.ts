import type { EngineApi } from "../engine-api.ts";
import { incomplete, notFound } from "../engine-fault.ts";
import type { ExportDomainState, Inventory } from "../engine-state.ts";
import { actionDone, actionsOf, created, ok, reference } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, remove, type Route } from "../http/router.ts";
import { findNamed } from "../inventory.ts";
import type { ImportRequest } from "../operations/vm-import-operations.ts";
import { readOvf } from "../ovf/read-ovf.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { nfsDomainEntry } from "./nfs-domain-entry.ts";
import { addDataDomain, dataDomainEntry } from "./data-domains.ts";

/** Export and data domains from their creation to their removal, and the machines in export domains. */
export function exportDomainRoutes(api: EngineApi): readonly Route[] {
  const { core, dataDomains, exportDomains, vmExports, vmImports } = api;
  const { state } = core;
  const entryOf = (id: string): CatalogueEntry =>
    dataDomains.has(id)
      ? dataDomainEntry(dataDomains.get(id), state.inventory)
      : exportDomainEntry(exportDomains.get(id), state.inventory);
  const kindOf = (id: string) => (dataDomains.has(id) ? dataDomains : exportDomains);
  return [
    post("/storagedomains", async (request) => {
      const { body } = request;
      if (body.text("type") === "data") return addDataDomain(api, request);
      if (body.text("type") !== "export") throw incomplete("StorageDomain", "type");
      findNamed(state.inventory.hosts, "StorageDomain", body, "host");
      const [name, address, path] = [body.text("name"), body.text("storage", "address"), body.text("storage", "path")];
      if (name === undefined || address === undefined || path === undefined) {
        throw incomplete("StorageDomain", "name", "storage.address", "storage.path");
      }
      const mountOptions = body.text("storage", "mount_options");
      const made = await exportDomains.create({
        name,
        address,
        path,
        ...(mountOptions !== undefined && { mountOptions }),
      });
      return created("storage_domain", exportDomainEntry(made, state.inventory).content);
    }),
    remove("/storagedomains/:domain", async (request) => {
      const { body, query } = request;
      const flag = (name: string): boolean => query.get(name) === "true" || body.text(name) === "true";
      const destroy = flag("destroy");
      if (!destroy && !query.has("host") && body.child("host") === undefined)
        throw incomplete("StorageDomain", "host.id|name");
      const id = request.param("domain");
      await kindOf(id).remove(id, { destroy, format: flag("format") });
      return actionDone();
    }),
    post("/datacenters/:center/storagedomains", async (request) => {
      const domain = findNamed(
        [...state.exportDomains, ...state.dataDomains],
        "StorageDomain",
        request.body.wrapped("storage_domain"),
        "storage_domain",
      );
      await kindOf(domain.id).attach(domain.id, request.param("center"));
      const { content } = entryOf(domain.id);
      return created("storage_domain", { ...content, status: kindOf(domain.id).get(domain.id).status });
    }),
    ...(["activate", "deactivate"] as const).map((name) =>
      post(`/datacenters/:center/storagedomains/:domain/${name}`, async (request) => {
        const id = request.param("domain");
        await kindOf(id)[name](id);
        return actionDone();
      }),
    ),
    remove("/datacenters/:center/storagedomains/:domain", async (request) => {
      const id = request.param("domain");
      await kindOf(id).detach(id);
      return actionDone();
    }),
    get("/storagedomains/:domain/vms", async (request) => {
      const id = request.param("domain");
      const isAsked = request.query.has("unregistered") && request.query.get("unregistered") !== "false";
      const unregistered = dataDomains.has(id) && isAsked ? await api.unregisteredVms.list(id) : [];
      const all = exportDomains.has(id) ? [...(await exportDomains.list(id))] : [...unregistered];
      return ok("vms", { vm: all.map(([vmId, ovf]) => vmContent(id, vmId, ovf, request.allContent)) });
    }),
    get("/storagedomains/:domain/vms/:vm", async (request) => {
      const [id, vmId] = [request.param("domain"), request.param("vm")];
      const ovf = (await exportDomains.list(id)).get(vmId);
      if (ovf === undefined) throw notFound();
      return ok("vm", vmContent(id, vmId, ovf, request.allContent));
    }),
    remove("/storagedomains/:domain/vms/:vm", async (request) => {
      await exportDomains.removeVm(request.param("domain"), request.param("vm"));
      return actionDone();
    }),
    post("/storagedomains/:domain/vms/:vm/register", async (request) => {
      const { body, correlationId } = request;
      const vm = await api.unregisteredVms.register(request.param("domain"), request.param("vm"), {
        clusterId: findNamed(state.inventory.clusters, "Action", body, "cluster").id,
        name: body.text("vm", "name"),
        clone: body.flag("clone") ?? false,
        allowPartial: body.flag("allow_partial_import") ?? false,
        correlationId,
      });
      return ok("action", { status: "complete", vm: reference("/vms", vm.id) });
    }),
    post("/storagedomains/:domain/updateovfstore", async (request) => {
      await dataDomains.updateOvfs(request.param("domain"));
      return actionDone();
    }),
    post("/storagedomains/:domain/vms/:vm/import", async (request) =>
      actionDone(await vmImports.start(request.param("domain"), importOf(request, state.inventory))),
    ),
    post("/vms/:vm/export", async (request) => {
      const { body, correlationId } = request;
      const domain = findNamed(state.exportDomains, "Action", body, "storage_domain");
      const exclusive = body.flag("exclusive") ?? false;
      const discardSnapshots = body.flag("discard_snapshots") ?? false;
      return actionDone(
        await vmExports.start(request.param("vm"), { domain, exclusive, discardSnapshots, correlationId }),
      );
    }),
  ];
}

function vmContent(domainId: string, vmId: string, ovf: string, all: boolean): XmlObject {
  const path = `/storagedomains/${domainId}/vms`;
  return {
    ...reference(path, vmId),
    ...actionsOf(`${path}/${vmId}`, "import"),
    name: readOvf(ovf).name,
    initialization: all ? { configuration: { data: ovf, type: "ovf" } } : undefined,
    status: "down",
  };
}

function importOf(request: ApiRequest, { clusters, storageDomains }: Inventory): ImportRequest {
  const { body, correlationId, query } = request;
  return {
    vmId: request.param("vm"),
    clusterId: findNamed(clusters, "Action", body, "cluster").id,
    storageDomain: findNamed(storageDomains, "Action", body, "storage_domain"),
    clone: body.flag("clone") ?? false,
    collapseSnapshots:
      query.get("collapse_snapshots") === "true" || body.flag("vm", "snapshots", "collapse_snapshots") === true,
    name: body.text("vm", "name"),
    correlationId,
  };
}

/** An export domain among the storage domains. Its status shows while it is unattached, and below its data centre. */
export function exportDomainEntry(domain: ExportDomainState, inventory: Inventory): CatalogueEntry {
  const { address, path, mountOptions, status } = domain;
  const own = {
    status,
    storage: { address, mount_options: mountOptions, path, type: "nfs" },
    storage_format: "v1",
  };
  return nfsDomainEntry({ ...domain, type: "export", links: ["vms", "templates"], own }, inventory);
}
