import type { XmlElement } from "../engine/xml-element.ts";

/** A user that the engine knows. */
export interface EngineUser {
  readonly id: string;
  readonly name: string | undefined;
  /** With the authorization domain, e.g. `admin@internal-authz`: not the login name. */
  readonly userName: string | undefined;
  readonly principal: string | undefined;
  readonly domain: string | undefined;
}

/** Parses one `<user>`. */
export function parseUser(element: XmlElement): EngineUser {
  return {
    id: element.requireId("user"),
    name: element.value("name"),
    userName: element.value("user_name"),
    principal: element.value("principal"),
    domain: element.value("domain", "name"),
  };
}
