import type { IncomingMessage, ServerResponse } from "node:http";

import { HttpRefusal } from "./errors.ts";
import { VERSION, replyJson } from "./http-reply.ts";
import type { ImageRequest, ImagesApi } from "./images-api.ts";

const KNOWN_METHODS = new Set(["OPTIONS", "GET", "PUT", "PATCH", "DELETE", "HEAD", "POST"]);

/**
 * Dispatches a request. Routes are prefix matches, as in the daemon: `/images/ID/extentsANYTHING` is `/extents`, and
 * `/images/ID/` is the ticket `ID/`. @throws HttpRefusal for an unknown path.
 */
export async function route(api: ImagesApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = "", url = "" } = request;
  const { path, query } = splitUrl(url);
  const to = (ticketId: string): ImageRequest => ({ request, response, query, ticketId });
  if (path === "/info/" && method === "GET") return replyJson(response, `{"version": "${VERSION}"}`);
  if (!path.startsWith("/images/")) throw new HttpRefusal(404, `No handler for '${path}'`);
  const checksum = /^\/images\/(?<id>[^/]*)\/checksum(?<algorithms>\/algorithms)?/.exec(path)?.groups;
  if (checksum !== undefined && method === "GET") {
    const asked = to(checksum["id"] ?? "");
    return checksum["algorithms"] === undefined ? api.checksum(asked) : api.algorithms(asked);
  }
  const extentsOf = /^\/images\/(?<id>[^/]*)\/extents/.exec(path)?.groups?.["id"];
  const ticketId = path.slice("/images/".length);
  if (extentsOf !== undefined && method === "GET") return api.extents(to(extentsOf));
  if (extentsOf === undefined && method === "OPTIONS") return api.options(to(ticketId));
  if (extentsOf === undefined && method === "GET") return api.get(to(ticketId));
  if (extentsOf === undefined && method === "PUT") return api.put(to(ticketId));
  if (extentsOf === undefined && method === "PATCH") return api.patch(to(ticketId));
  const known = KNOWN_METHODS.has(method);
  throw new HttpRefusal(405, known ? `Method '${method}' not defined for '${path}'` : `Invalid method '${method}'`);
}

function splitUrl(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const [path = "", ...query] = url.split("?");
  try {
    return { path: decodeURIComponent(path), query: new URLSearchParams(query.join("?")) };
  } catch (error) {
    throw new HttpRefusal(400, `Invalid path '${path}': ${String(error)}`);
  }
}
