import { XmlNode } from "../xml/read-xml.ts";

/** A request to the API, authenticated and parsed. */
export class ApiRequest {
  readonly method: string;
  /** Path below `/ovirt-engine/api`, e.g. `/vms/123`; empty for the root. */
  readonly path: string;
  /** Query and matrix parameters together. */
  readonly query: URLSearchParams;
  readonly body: XmlNode;
  readonly correlationId: string;
  readonly #allContent: boolean;
  readonly #params: ReadonlyMap<string, string>;

  constructor(parts: {
    readonly method: string;
    readonly path: string;
    readonly query?: URLSearchParams;
    readonly body?: XmlNode;
    readonly correlationId: string;
    readonly allContent?: boolean;
    readonly params?: ReadonlyMap<string, string>;
  }) {
    this.method = parts.method;
    this.path = parts.path;
    this.query = parts.query ?? new URLSearchParams();
    this.body = parts.body ?? new XmlNode("", {});
    this.correlationId = parts.correlationId;
    this.#allContent = parts.allContent ?? false;
    this.#params = parts.params ?? new Map();
  }

  /** The same request with the values of the path's placeholders. */
  withParams(params: ReadonlyMap<string, string>): ApiRequest {
    return new ApiRequest({ ...this, allContent: this.#allContent, params });
  }

  /** Value of a placeholder of the route's pattern; empty if the pattern has no such name. */
  param(name: string): string {
    return this.#params.get(name) ?? "";
  }

  /** Whether header or parameter request the fields that are expensive to compute. */
  get allContent(): boolean {
    return this.#allContent || this.query.get("all_content") === "true";
  }
}
