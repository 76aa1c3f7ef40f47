import type { EngineApi } from "../engine-api.ts";
import { notFound } from "../engine-fault.ts";
import { ok, reference, type ApiReply } from "../http/api-reply.ts";
import { get, type Route } from "../http/router.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** Id of the only user and of the only role, which the user has on everything. */
const ADMIN = "00000000-0000-0000-0000-0000000000ad";
const SUPER_USER = "00000000-0000-0000-0000-000000000001";
const PERMISSION = "00000000-0000-0000-0000-0000000000ae";

const role: XmlObject = {
  ...reference("/roles", SUPER_USER),
  name: "SuperUser",
  description: "Roles management administrator",
  administrative: true,
  mutable: false,
};
const user: XmlObject = { ...reference("/users", ADMIN), name: "admin", user_name: "admin@internal-authz" };

/** `/roles`, `/users`, and the permissions of a machine. All read-only. */
export function permissionRoutes({ core }: EngineApi): readonly Route[] {
  const permission = (vmId: string): XmlObject => ({
    ...reference(`/vms/${core.vm(vmId).id}/permissions`, PERMISSION),
    role: reference("/roles", SUPER_USER),
    user: reference("/users", ADMIN),
    vm: reference("/vms", vmId),
  });
  return [
    get("/roles", () => ok("roles", { role: [role] })),
    get("/roles/:role", (request) => only(request.param("role"), SUPER_USER, "role", role)),
    get("/users", () => ok("users", { user: [user] })),
    get("/users/:user", (request) => only(request.param("user"), ADMIN, "user", user)),
    get("/vms/:vm/permissions", (request) => ok("permissions", { permission: [permission(request.param("vm"))] })),
    get("/vms/:vm/permissions/:permission", (request) =>
      only(request.param("permission"), PERMISSION, "permission", permission(request.param("vm"))),
    ),
  ];
}

function only(id: string, wanted: string, element: string, content: XmlObject): ApiReply {
  if (id !== wanted) throw notFound();
  return ok(element, content);
}
