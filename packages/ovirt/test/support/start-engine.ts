import { issueCertificate } from "@ovault/test-support/certificates";

import { EngineClient } from "../../src/engine/engine-client.ts";
import { EngineServer, PASSWORD, USER } from "./engine-server.ts";

export interface StartedEngine {
  readonly server: EngineServer;
  /** Logs in to the server, and polls without pauses. */
  readonly client: EngineClient;
  stop(): Promise<void>;
}

export async function startEngine(): Promise<StartedEngine> {
  const certificate = await issueCertificate("IP:127.0.0.1");
  const server = await new EngineServer(certificate).start();
  const trust = { ca: [certificate.ca] };
  const client = new EngineClient({ url: server.url, user: USER, password: PASSWORD, trust, timings: { pollMs: 1 } });
  return {
    server,
    client,
    async stop() {
      await client.close();
      await server.stop();
    },
  };
}
