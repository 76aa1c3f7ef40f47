import { describeObjectStore } from "@ovault/testkit";

import { openTwice } from "./support/open-twice.ts";
import { newBucket } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";

describeObjectStore("an S3 bucket", { open: async () => openTwice(newBucket(await sharedGateway())) });
