import type { EngineApi } from "../engine-api.ts";
import { API_PATH } from "../http/api-path.ts";
import { ok, versionContent } from "../http/api-reply.ts";
import { get, type Route } from "../http/router.ts";
import { BLANK_ID } from "../inventory.ts";
import type { XmlObject } from "../xml/xml-value.ts";
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
  "roles",
  "storagedomains",
  "tags",
  "templates",
  "users",
  "vms",
  "vnicprofiles",
];

const SEARCHABLE = [
  "clusters",
  "datacenters",
  "disks",
  "events",
  "hosts",
  "networks",
  "storagedomains",
  "templates",
  "vms",
] as const;

function linkTo(collection: string): XmlObject {
  return { "@href": `${API_PATH}/${collection}`, "@rel": collection };
}

/** A template that clients fill in. */
function searchLink(collection: string): XmlObject {
  const from = collection === "events" ? ";from={event_id}" : "";
  return { "@href": `${API_PATH}/${collection}${from}?search={query}`, "@rel": `${collection}/search` };
}

/** `/`: the product, and links to everything else. */
export function apiRootRoutes({ core }: EngineApi): readonly Route[] {
  return [
    get("", () => {
      const { state, behaviour } = core;
      const { hosts, storageDomains } = state.inventory;
      const vms = Object.values(state.vms);
      const active = vms.filter((vm) => vm.status === "up").length;
      return ok("api", {
        link: [...COLLECTIONS.map(linkTo), ...SEARCHABLE.map(searchLink)],
        product_info: { ...productInfo(state.product), version: versionContent({ ...behaviour.version }) },
        special_objects: {
          blank_template: { "@href": `${API_PATH}/templates/${BLANK_ID}`, "@id": BLANK_ID },
          root_tag: { "@href": `${API_PATH}/tags/${BLANK_ID}`, "@id": BLANK_ID },
        },
        summary: {
          hosts: { active: hosts.length, total: hosts.length },
          storage_domains: { active: storageDomains.length, total: storageDomains.length },
          users: { active: 1, total: 1 },
          vms: { active, total: vms.length },
        },
        time: new Date().toISOString(),
      });
    }),
  ];
}
