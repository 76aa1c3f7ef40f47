import type { EngineApi } from "../engine-api.ts";
import { API_PATH, linksBelow, ok, versionContent } from "../http/api-reply.ts";
import { get, type Route } from "../http/router.ts";
import { productInfo } from "../versions.ts";

const COLLECTIONS = [
  "clusters",
  "datacenters",
  "disks",
  "events",
  "hosts",
  "imagetransfers",
  "jobs",
  "networks",
  "storagedomains",
  "tags",
  "templates",
  "vms",
  "vnicprofiles",
];
const BLANK = "00000000-0000-0000-0000-000000000000";

/** `/`: what product this is, and where everything else lies. */
export function apiRootRoutes({ core }: EngineApi): readonly Route[] {
  return [
    get("", () => {
      const { state, behaviour } = core;
      const vms = Object.values(state.vms);
      const active = vms.filter((vm) => vm.status === "up").length;
      return ok("api", {
        ...linksBelow("", ...COLLECTIONS),
        product_info: { ...productInfo(state.product), version: versionContent({ ...behaviour.version }) },
        special_objects: {
          blank_template: { "@href": `${API_PATH}/templates/${BLANK}`, "@id": BLANK },
          root_tag: { "@href": `${API_PATH}/tags/${BLANK}`, "@id": BLANK },
        },
        summary: {
          hosts: { active: 1, total: 1 },
          storage_domains: { active: 1, total: 1 },
          users: { active: 1, total: 1 },
          vms: { active, total: vms.length },
        },
        time: new Date().toISOString(),
      });
    }),
  ];
}
