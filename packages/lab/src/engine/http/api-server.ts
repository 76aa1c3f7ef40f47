import { randomUUID } from "node:crypto";

import { EngineFault, conflict } from "../engine-fault.ts";
import type { EngineCore } from "../engine-core.ts";
import { readXml } from "../xml/read-xml.ts";
import type { XmlDocument } from "../xml/xml-value.ts";
import { API_PATH, type ApiReply } from "./api-reply.ts";
import { ApiRequest } from "./api-request.ts";
import { followLinks } from "./follow.ts";
import type { Router } from "./router.ts";

/** An HTTP request to a path below the API's. */
export interface RawRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

const CHANGES = new Set(["POST", "PUT", "DELETE"]);
/** How often the fault `conflict-storm` refuses the same change. */
const STORM_REFUSALS = 2;

/** Answers authenticated requests to the API. Never throws: an error becomes an answer. */
export class ApiServer {
  readonly #core: EngineCore;
  readonly #router: Router;
  readonly #refusals = new Map<string, number>();

  constructor(core: EngineCore, router: Router) {
    this.#core = core;
    this.#router = router;
  }

  async answer(raw: RawRequest): Promise<ApiReply> {
    try {
      const request = this.#parse(raw);
      if (CHANGES.has(raw.method)) this.#strikeConflict(request);
      const reply = await this.#follow(request, await this.#router.dispatch(request));
      if (CHANGES.has(raw.method)) await this.#core.store.flush();
      return reply;
    } catch (error) {
      return faultReply(error, raw);
    }
  }

  #parse({ method, url, headers, body }: RawRequest): ApiRequest {
    const [path, query] = splitMatrix(url);
    const requested = /^\/v(\d+)(?=\/|$)/.exec(path);
    const version = headers["version"] ?? requested?.[1] ?? "4";
    if (version !== "4") throw new EngineFault(400, "Bad Request");
    const type = headers["content-type"] ?? "application/xml";
    if (body !== "" && !type.startsWith("application/xml")) throw new EngineFault(415, "Unsupported Media Type");
    return new ApiRequest({
      method,
      path: path.slice(requested?.[0].length ?? 0).replace(/\/+$/, ""),
      query,
      body: readXml(body),
      correlationId: headers["correlation-id"] ?? query.get("correlation_id") ?? randomUUID(),
      allContent: headers["all-content"]?.toLowerCase() === "true",
    });
  }

  #strikeConflict({ method, path }: ApiRequest): void {
    const { faults } = this.#core;
    const key = `${method} ${path}`;
    const refusals = this.#refusals.get(key) ?? 0;
    const storming = faults.mode("conflict-storm");
    const struck =
      storming === "once" ? faults.strikes("conflict-storm") : storming === "on" && refusals < STORM_REFUSALS;
    this.#refusals.set(key, struck ? refusals + 1 : 0);
    if (struck) throw conflict("Related operation is currently in progress. Please try again later.");
  }

  async #follow(request: ApiRequest, reply: ApiReply): Promise<ApiReply> {
    const follow = request.query.get("follow");
    if (follow === null || reply.body === undefined || request.method !== "GET") return reply;
    const { correlationId } = request;
    const fetch = async (href: string): Promise<XmlDocument | undefined> => {
      try {
        const path = href.slice(API_PATH.length);
        return (await this.#router.dispatch(new ApiRequest({ method: "GET", path, correlationId }))).body;
      } catch (error) {
        if (error instanceof EngineFault && error.status === 404) return undefined;
        throw error;
      }
    };
    return { ...reply, body: await followLinks(reply.body, follow, fetch) };
  }
}

/** Parameters may come as a query or, `;max=5`, in the path. */
function splitMatrix(url: URL): readonly [string, URLSearchParams] {
  const query = new URLSearchParams(url.search);
  const segments = url.pathname.slice(API_PATH.length).split("/");
  const plain = segments.map((segment) => {
    const [name, ...parameters] = segment.split(";");
    for (const [key, value] of new URLSearchParams(parameters.join("&"))) query.append(key, value);
    return name ?? "";
  });
  return [plain.join("/"), query];
}

function faultReply(error: unknown, { method, url }: RawRequest): ApiReply {
  const fault = error instanceof EngineFault ? error : new EngineFault(500, "Operation Failed", `[${String(error)}]`);
  const bare = fault.detail === undefined && (fault.status === 400 || fault.status === 404);
  if (bare || fault.status === 415) return { status: fault.status };
  const content = { detail: fault.detail, reason: fault.reason };
  const isAction = method === "POST" && ACTION_PATH.test(url.pathname);
  return isAction
    ? { status: fault.status, body: { root: "action", content: { fault: content, status: "failed" } } }
    : { status: fault.status, body: { root: "fault", content } };
}

const ACTION_PATH =
  /\/(start|stop|shutdown|migrate|finalize|cancel|pause|resume|extend|freezefilesystems|thawfilesystems|sparsify|ticket)$/;
