import { once } from "node:events";
import { createServer } from "node:net";

import type { TestProject } from "vitest/node";

import { type RunningGateway, startRadosGateway } from "@ovault/test-support/rados-gateway";

declare module "vitest" {
  interface ProvidedContext {
    /** Answers each connection with the address of the gateway; the first one waits until it has started. */
    radosGatewayPort: number;
  }
}

/** One RADOS gateway for all test files of a run, started by the first that asks for it. Costs nothing where none does. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  let running: Promise<RunningGateway> | undefined;
  const server = createServer((socket) => {
    running ??= startRadosGateway();
    running.then(
      ({ gateway }) => socket.end(JSON.stringify(gateway)),
      (error: unknown) => socket.end(JSON.stringify({ error: String(error) })),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port to be asked at");
  provide("radosGatewayPort", address.port);
  return async () => {
    server.close();
    await (await running?.catch(() => undefined))?.stop();
  };
}
