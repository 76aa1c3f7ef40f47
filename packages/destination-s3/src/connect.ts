import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { resolve } from "node:path";

import { S3, type S3ClientConfig } from "@aws-sdk/client-s3";

import { aboutOption, ConfigurationError, readSettingsFile, type PluginHost } from "@ovault/contract";

import { resolveEncryption } from "./encryption.ts";
import type { S3Credentials, S3Options } from "./options.ts";
import { signBodiesByTheirChecksum } from "./sign-bodies.ts";

/** Maximum concurrent requests; further ones wait for a connection. */
const CONNECTIONS = 64;
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;
/** Four times the size of a whole system's authorities. */
const MOST_CA_BYTES = 1024 * 1024;

const ignore = (): void => undefined;

/** The SDK takes "no logger" for the console. */
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * A client of the service; opens no connection yet. It never repeats a request: core does.
 * @throws ConfigurationError when a secret, the CA or the region cannot be found.
 */
export async function connect(options: S3Options, host: PluginHost): Promise<S3> {
  const { endpoint, ca, credentials, timeoutMs } = options;
  const connections = { keepAlive: true, maxSockets: CONNECTIONS };
  // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED does not switch it off.
  const trust = { rejectUnauthorized: true, ...(ca !== undefined && { ca: await readCa(ca, host.baseDirectory) }) };
  const config: S3ClientConfig = {
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    maxAttempts: 1,
    // Bodies carry our own SHA-256, and core checks the digest of everything it reads.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // The SDK would open a new connection for every request with `Expect: 100-continue`.
    expectContinueHeader: false,
    requestHandler: {
      httpAgent: withConnectTimeout(new HttpAgent(connections), "connect"),
      httpsAgent: withConnectTimeout(new HttpsAgent({ ...connections, ...trust }), "secureConnect"),
      socketTimeout: timeoutMs ?? IDLE_TIMEOUT_MS,
    },
    logger: SILENT,
  };
  if (endpoint !== undefined) config.endpoint = endpoint;
  if (credentials !== undefined) config.credentials = await readCredentials(credentials, host);
  // Services other than Amazon's have no regions and accept Amazon's first one.
  const region = options.region ?? (endpoint === undefined ? undefined : "us-east-1");
  if (region !== undefined) config.region = region;
  const client = new S3(config);
  signBodiesByTheirChecksum(client);
  await assertRegion(client);
  return client;
}

/** Reads the secrets and the CA, and finds the region. @throws as `connect` */
export async function checkAccess(options: S3Options, host: PluginHost): Promise<void> {
  await resolveEncryption(options.serverSideEncryption, host);
  (await connect(options, host)).destroy();
}

async function readCredentials(credentials: S3Credentials, { secret }: PluginHost) {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    accessKeyId: await aboutOption("credentials.accessKeyId", () => secret(accessKeyId)),
    secretAccessKey: await aboutOption("credentials.secretAccessKey", () => secret(secretAccessKey)),
    ...(sessionToken === undefined
      ? {}
      : { sessionToken: await aboutOption("credentials.sessionToken", () => secret(sessionToken)) }),
  };
}

async function readCa(ca: NonNullable<S3Options["ca"]>, baseDirectory: string): Promise<string> {
  if ("pem" in ca) return ca.pem;
  const file = resolve(baseDirectory, ca.file);
  const kind = { what: "the CA file", mostBytes: MOST_CA_BYTES };
  return (await aboutOption("ca", () => readSettingsFile(file, kind))).text;
}

async function assertRegion(client: S3): Promise<void> {
  try {
    await client.config.region();
  } catch (error) {
    throw new ConfigurationError("the region of the bucket is not known", {
      cause: error,
      hint: "Set `region` of the destination, or AWS_REGION.",
    });
  }
}

/**
 * Gives up on a connection that is not `established` in time. The SDK's own limit also counts the time in which a
 * request waits for a free connection.
 */
function withConnectTimeout<A extends HttpAgent>(agent: A, established: "connect" | "secureConnect"): A {
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = create(options, callback);
    const timer = setTimeout(
      () => socket?.destroy(Object.assign(new Error("connecting took too long"), { code: "ETIMEDOUT" })),
      CONNECT_TIMEOUT_MS,
    );
    for (const event of [established, "close"]) socket?.once(event, () => clearTimeout(timer));
    return socket;
  };
  return agent;
}
