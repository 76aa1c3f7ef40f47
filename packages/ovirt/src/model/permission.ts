import type { XmlElement } from "../engine/xml-element.ts";
import type { Named } from "./named.ts";

/** A role that a user or a group has on something. */
export interface Permission {
  readonly role: Named;
  /** Exactly one of these two. */
  readonly user: Named | undefined;
  readonly group: Named | undefined;
}

/** Parses one `<permission>`. */
export function parsePermission(element: XmlElement): Permission {
  element.requireId("permission");
  return {
    role: linked(element, "role") ?? { id: "", name: "" },
    user: linked(element, "user"),
    group: linked(element, "group"),
  };
}

/** Users are known by their name with its domain, which distinguishes equal names. */
function linked(permission: XmlElement, name: string): Named | undefined {
  const id = permission.idOf(name);
  if (id === undefined) return undefined;
  return { id, name: permission.value(name, "user_name") ?? permission.value(name, "name") ?? id };
}
