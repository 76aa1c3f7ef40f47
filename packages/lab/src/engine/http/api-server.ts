import { randomUUID } from "node:crypto";

import { EngineFault, conflict } from "../engine-fault.ts";
import type { EngineCore } from "../engine-core.ts";
import type { ApiVersion } from "../versions.ts";
import { readVersion3 } from "../version3/read-version3.ts";
import { answerVersion3 } from "../version3/version3.ts";
import { writeVersion3 } from "../version3/write-version3.ts";
import { parseXml, XmlNode } from "../xml/read-xml.ts";
import type { XmlDocument } from "../xml/xml-value.ts";
import { API_PATH } from "./api-path.ts";
import type { ApiReply } from "./api-reply.ts";
import { ApiRequest } from "./api-request.ts";
import { followLinks } from "./follow.ts";
import type { Router } from "./router.ts";

/** An HTTP request to a path below the API's. */
export interface RawRequest {
  readonly method: string;
  readonly url: URL;
  /** The path of the API that it names; `url` goes on below. */
  readonly base: string;
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
      const place = this.#place(raw);
      // VersionFilter of the engine: sendError(400)
      if (place === undefined) return { status: 400, page: "Bad Request" };
      return place.version === 3 ? this.#answerVersion3(raw, place) : await this.#answerVersion4(raw, place);
    } catch (error) {
      return faultReply(error, raw);
    }
  }

  async #answerVersion4(raw: RawRequest, place: Place): Promise<ApiReply> {
    const request = requestOf(raw, place, parseBody(raw));
    return this.#change(request, async () => this.#follow(request, await this.#router.dispatch(request)));
  }

  /** Faults too are in the words of version 3. */
  async #answerVersion3(raw: RawRequest, place: Place): Promise<ApiReply> {
    const reply = await this.#changeVersion3(raw, place).catch((error: unknown) => faultReply(error, raw));
    return reply.body === undefined ? reply : { ...reply, body: writeVersion3(reply.body, place.base) };
  }

  async #changeVersion3(raw: RawRequest, place: Place): Promise<ApiReply> {
    const body = readVersion3(parseBody(raw));
    const request = requestOf(raw, place, body);
    return this.#change(request, () => answerVersion3(request, body, (inner) => this.#router.dispatch(inner)));
  }

  /** Work of a request that may be a change; what it changed is on disk when it resolves. */
  async #change(request: ApiRequest, work: () => Promise<ApiReply>): Promise<ApiReply> {
    const changes = CHANGES.has(request.method);
    if (changes) this.#strikeConflict(request);
    const reply = await work();
    if (changes) await this.#core.store.flush();
    return reply;
  }

  /** Engines before 4.0 know no other version, and nothing that names one. @returns undefined for an unknown version */
  #place({ url, base, headers }: RawRequest): Place | undefined {
    const { apiVersions } = this.#core.behaviour;
    const [path, query] = splitMatrix(url, base);
    const [first = 4, ...others] = apiVersions;
    if (first === 3) return { version: 3, base, path: trimmed(path), query };
    const requested = /^\/v(\d+)(?=\/|$)/.exec(path);
    const wanted = requested?.[1] ?? headers["version"] ?? String(first);
    const version = [first, ...others].find((known) => String(known) === wanted);
    if (version === undefined) return undefined;
    const prefix = requested?.[0] ?? "";
    return { version, base: `${base}${prefix}`, path: trimmed(path.slice(prefix.length)), query };
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
    const follow = this.#core.behaviour.follow ? request.query.get("follow") : null;
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

/** Version of the API that a request is for, and what it asks of it. */
interface Place {
  readonly version: ApiVersion;
  /** Begin of the hrefs in the answer. */
  readonly base: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

function parseBody({ headers, body }: RawRequest): XmlDocument {
  const type = headers["content-type"] ?? "application/xml";
  if (body !== "" && !type.startsWith("application/xml")) throw new EngineFault(415, "Unsupported Media Type");
  return parseXml(body);
}

function requestOf({ method, headers }: RawRequest, { path, query }: Place, parsed: XmlDocument): ApiRequest {
  return new ApiRequest({
    method,
    path,
    query,
    body: new XmlNode(parsed.root, parsed.content),
    correlationId: headers["correlation-id"] ?? query.get("correlation_id") ?? randomUUID(),
    allContent: headers["all-content"]?.toLowerCase() === "true",
  });
}

function trimmed(path: string): string {
  return path.replace(/\/+$/, "");
}

/** Parameters may come as a query or, `;max=5`, in the path. */
function splitMatrix(url: URL, base: string): readonly [string, URLSearchParams] {
  const query = new URLSearchParams(url.search);
  const segments = url.pathname.slice(base.length).split("/");
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
  /\/(start|stop|shutdown|migrate|activate|deactivate|export|import|finalize|cancel|pause|resume|extend|freezefilesystems|thawfilesystems|sparsify|ticket)$/;
