import { SyntheticStore } from "@ovault/destination-synthetic";
import { describeImageStore } from "@ovault/testkit";

import { syntheticSites } from "./support/synthetic-site.ts";

const sites = syntheticSites();

describeImageStore("the synthetic destination", {
  open: async () => {
    const site = await sites.open();
    return { ...site, second: await SyntheticStore.open(site.directory) };
  },
});
