import { connect } from "node:net";
import { text } from "node:stream/consumers";

import { inject } from "vitest";

import type { RadosGateway } from "@ovault/test-support/rados-gateway";

/** The gateway that all test files share: use a bucket of your own. For the first one it starts now. */
export async function sharedGateway(): Promise<RadosGateway> {
  const answer: unknown = JSON.parse(await text(connect(inject("radosGatewayPort"), "127.0.0.1")));
  if (isGateway(answer)) return answer;
  throw new Error(`there is no RADOS gateway: ${JSON.stringify(answer)}`);
}

function isGateway(answer: unknown): answer is RadosGateway {
  return typeof answer === "object" && answer !== null && "endpoint" in answer;
}
