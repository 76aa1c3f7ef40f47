import { incomplete, notFound } from "../engine-fault.ts";
import { API_PATH } from "../http/api-path.ts";
import { actionDone, type ApiReply } from "../http/api-reply.ts";
import { ApiRequest } from "../http/api-request.ts";
import { followLinks, type Fetch } from "../http/follow.ts";
import { XmlNode } from "../xml/read-xml.ts";
import { isXmlObject, valuesOf, type XmlDocument, type XmlObject, type XmlValue } from "../xml/xml-value.ts";
import { attachmentOf, existingDisk } from "./read-version3.ts";

/** Answers a request of version 4. */
type Dispatch = (request: ApiRequest) => Promise<ApiReply>;

/** Paths that version 3 does not have. */
const NEWER_PATH = /^\/vms\/[^/]+\/(diskattachments|backups|checkpoints)(\/|$)|^\/imagetransfers(\/|$)/;
const VM_DISKS = /^(\/vms\/[^/]+)\/disks(?:\/([^/]+)(?:\/(activate|deactivate))?)?$/;

/**
 * Answers a request whose body has been read into version 4, in elements of version 4. Version 3 has the connection of
 * a disk to a machine inside the disk; that is where the two differ in more than their elements.
 * @throws EngineFault as `dispatch`, and 404 for what is newer
 */
export async function answerVersion3(request: ApiRequest, body: XmlDocument, dispatch: Dispatch): Promise<ApiReply> {
  if (NEWER_PATH.test(request.path)) throw notFound();
  if (request.method === "POST" && request.path === "/disks") return makeDisk(request, body, dispatch);
  const [, vm, disk, action] = VM_DISKS.exec(request.path) ?? [];
  if (vm === undefined) return dispatch(request);
  const path = [`${vm}/diskattachments`, ...(disk === undefined ? [] : [disk])].join("/");
  const ask = (method: string, content?: XmlObject, query?: URLSearchParams): Promise<ApiReply> =>
    dispatch(
      new ApiRequest({
        method,
        path,
        correlationId: request.correlationId,
        ...(query !== undefined && { query }),
        ...(content !== undefined && { body: new XmlNode("disk_attachment", content) }),
      }),
    );
  if (action !== undefined) {
    if (request.method !== "POST") throw notFound();
    await ask("PUT", { active: String(action === "activate") });
    return actionDone();
  }
  if (request.method === "DELETE") {
    const keep = request.body.flag("detach") ?? false;
    return ask("DELETE", undefined, new URLSearchParams({ detach_only: String(keep) }));
  }
  const attaches = request.method === "POST" && body.content["@id"] !== undefined;
  const attachment = attaches ? existingDisk(body.content) : attachmentOf(body.content);
  const reply = await ask(request.method, request.method === "GET" ? undefined : attachment);
  return withDisks(reply, dispatch);
}

/** Refuses a disk without an interface, as BackendDisksResource of oVirt engine 3.6 does. */
function makeDisk(request: ApiRequest, body: XmlDocument, dispatch: Dispatch): Promise<ApiReply> {
  const { disk, ...connection } = attachmentOf(body.content);
  if (connection["interface"] === undefined) throw incomplete("Disk", "interface");
  const content = new XmlNode("disk", isXmlObject(disk) ? disk : {});
  const { method, path, query, correlationId } = request;
  return dispatch(new ApiRequest({ method, path, query, correlationId, body: content }));
}

/** Attachments become their disks. */
async function withDisks(reply: ApiReply, dispatch: Dispatch): Promise<ApiReply> {
  if (reply.body === undefined) return reply;
  const fetch: Fetch = async (href) =>
    (await dispatch(new ApiRequest({ method: "GET", path: href.slice(API_PATH.length), correlationId: "" }))).body;
  const { root, content } = await followLinks(reply.body, "disk", fetch);
  if (root !== "disk_attachments") return { ...reply, body: { root: "disk", content: diskOf(content) } };
  return { ...reply, body: { root: "disks", content: { disk: valuesOf(content, "disk_attachment").map(diskOf) } } };
}

function diskOf(attachment: XmlValue): XmlObject {
  if (!isXmlObject(attachment)) return {};
  const { disk, link: _, ...connection } = attachment;
  return { ...(isXmlObject(disk) && disk), ...connection };
}
