import { resolve } from "node:path";

import { z } from "zod";

import {
  aboutOption,
  definePlugin,
  readSettingsFile,
  secretReference,
  type Plugin,
  type PluginHost,
} from "@ovault/contract";

import { normalizeFingerprint, readCertificates } from "../engine/tls.ts";
import type { EngineClientOptions } from "../engine/engine-client.ts";
import { OvirtManager } from "./manager.ts";

const milliseconds = z.int().positive();

const options = z.strictObject({
  /** `https://ENGINE/ovirt-engine/api` */
  url: z.url({ protocol: /^https$/ }),
  /** With its profile: `admin@internal`, or with Keycloak `admin@ovirt@internalsso`. */
  user: z.string().min(1),
  password: secretReference,
  /** Certificates in PEM: the engine's internal CA, and the CA of its web certificate if that is a different one. */
  ca: z.union([z.strictObject({ file: z.string().min(1) }), z.strictObject({ pem: z.string().min(1) })]),
  /** SHA-256 of a certificate that must be in the engine's chain; `ovault init` writes the CA's. */
  fingerprint: z
    .string()
    .refine(
      (text) => normalizeFingerprint(text).length === 64,
      "must be a SHA-256 fingerprint of 64 hexadecimal digits",
    )
    .optional(),
  /** Default: single sign-on, and basic authentication for an engine without it (3.x). */
  auth: z.enum(["sso", "basic"]).optional(),
  pollMs: milliseconds.optional(),
  requestTimeoutMs: milliseconds.optional(),
  conflictDeadlineMs: milliseconds.optional(),
  restartBudgetMs: milliseconds.optional(),
  hostPatienceMs: milliseconds.optional(),
  inFlightMs: milliseconds.optional(),
});

/** The `managers:` entry of an oVirt engine in ovault.yaml. */
export type OvirtOptions = z.output<typeof options>;

const plugin: Plugin<"manager", OvirtOptions> = definePlugin({
  kind: "manager",
  name: "ovirt",
  apiVersion: 1,
  options,
  check: async (chosen, host) => void (await settingsOf(chosen, host)),
  create: async (chosen, host) => new OvirtManager(host.name, await settingsOf(chosen, host)),
});
export default plugin;

/** @throws ConfigurationError when the password or the CA is missing */
async function settingsOf(chosen: OvirtOptions, host: PluginHost): Promise<EngineClientOptions> {
  const { url, user, password, auth, ca, fingerprint } = chosen;
  return {
    url,
    user,
    password: await aboutOption("password", () => host.secret(password)),
    auth,
    trust: { ca: await aboutOption("ca", () => readCa(ca, host.baseDirectory)), fingerprint },
    timings: chosen,
  };
}

const CA_FILE = { what: "the CA file", mostBytes: 1024 * 1024, hint: "Fetch the engine's CA with `ovault init`." };

async function readCa(ca: OvirtOptions["ca"], baseDirectory: string): Promise<string[]> {
  const file = "file" in ca ? resolve(baseDirectory, ca.file) : undefined;
  const pem = "pem" in ca ? ca.pem : (await readSettingsFile(resolve(baseDirectory, ca.file), CA_FILE)).text;
  return readCertificates(pem, file === undefined ? "the CA" : `the CA file ${file}`).map((certificate) =>
    certificate.toString(),
  );
}
