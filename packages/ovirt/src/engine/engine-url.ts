import { ConfigurationError } from "@ovault/contract";

/** The addresses on one engine. Paths have no slash at the end. */
export interface EngineAddress {
  /** `https://engine.example.com`, with the port where it is not 443. */
  readonly origin: string;
  /** `/ovirt-engine/api` */
  readonly apiPath: string;
  /** `/ovirt-engine`: single sign-on and the other services hang here. */
  readonly rootPath: string;
}

const HINT = "Write it as https://ENGINE/ovirt-engine/api, with the host name that the engine's certificate holds.";

/**
 * Reads the address of an engine: the API's, also with its version (`…/api/v3`), or a shorter one (`https://engine`,
 * `https://engine/ovirt-engine`). The version is found by looking, so the one in the address does not matter.
 *
 * @throws ConfigurationError when it is no https address, or holds more than an address.
 */
export function parseEngineUrl(text: string): EngineAddress {
  if (!URL.canParse(text)) throw new ConfigurationError("the engine's url is not a URL", { hint: HINT });
  const url = new URL(text);
  if (url.protocol !== "https:") throw new ConfigurationError("the engine's url must be https", { hint: HINT });
  if (url.username || url.password || url.search || url.hash) {
    throw new ConfigurationError("the engine's url holds more than an address", { hint: HINT });
  }
  const path = url.pathname.replace(/\/+$/, "").replace(/\/api(\/v\d)?$/, "");
  const rootPath = path === "" ? "/ovirt-engine" : path;
  return { origin: url.origin, rootPath, apiPath: `${rootPath}/api` };
}
