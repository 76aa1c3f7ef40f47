import { notFound } from "../engine-fault.ts";
import type { ApiReply } from "./api-reply.ts";
import type { ApiRequest } from "./api-request.ts";

type Handler = (request: ApiRequest) => ApiReply | Promise<ApiReply>;

/** One operation of the API. `:name` in the pattern matches one segment of the path. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly pattern: string;
  readonly handle: Handler;
}

export function get(pattern: string, handle: Handler): Route {
  return { method: "GET", pattern, handle };
}

export function post(pattern: string, handle: Handler): Route {
  return { method: "POST", pattern, handle };
}

export function put(pattern: string, handle: Handler): Route {
  return { method: "PUT", pattern, handle };
}

export function remove(pattern: string, handle: Handler): Route {
  return { method: "DELETE", pattern, handle };
}

/** Finds the route of a request. */
export class Router {
  readonly #routes: readonly (Route & { readonly segments: readonly string[] })[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ ...route, segments: route.pattern.split("/") }));
  }

  /** @throws EngineFault 404 for an unknown path. */
  async dispatch(request: ApiRequest): Promise<ApiReply> {
    const segments = request.path.split("/");
    for (const route of this.#routes) {
      if (route.method !== request.method) continue;
      const params = match(route.segments, segments);
      if (params !== undefined) return route.handle(request.withParams(params));
    }
    throw notFound();
  }
}

function match(pattern: readonly string[], segments: readonly string[]): ReadonlyMap<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params = new Map<string, string>();
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? "";
    if (part.startsWith(":")) params.set(part.slice(1), decodeURIComponent(segment));
    else if (part !== segment) return undefined;
  }
  return params;
}
