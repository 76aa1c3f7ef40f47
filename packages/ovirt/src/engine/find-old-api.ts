import { EngineAnswerError } from "./errors.ts";
import type { HttpAnswer } from "./http-transport.ts";
import { loginRefused } from "./login-refused.ts";
import { parseXml } from "./parse-xml.ts";
import type { XmlElement } from "./xml-element.ts";

/** Where engines before 4.0 have their API: 3.5 and later at both, earlier ones at the second alone. */
const PLACES = ["/ovirt-engine/api", "/api"];

/**
 * Looks for the API of an engine without single sign-on (3.x): at the configured path, then at its usual places.
 * Undefined where no place answers as one.
 *
 * @param ask sends `GET path` with basic authentication
 * @throws AuthenticationError when no place answers, and one refuses the login
 */
export async function findOldApi(
  configuredPath: string,
  ask: (path: string) => Promise<HttpAnswer>,
): Promise<string | undefined> {
  let refused = false;
  for (const path of new Set([configuredPath, ...PLACES])) {
    const answer = await ask(path);
    if (answer.status === 200 && isOldRoot(answer.text)) return path;
    refused ||= answer.status === 401;
  }
  if (!refused) return undefined;
  throw loginRefused();
}

/** True for an API root of version 3. */
export function isVersion3(root: XmlElement): boolean {
  const major = root.name === "api" ? root.int("product_info", "version", "major") : undefined;
  return major !== undefined && major < 4;
}

function isOldRoot(text: string): boolean {
  try {
    return isVersion3(parseXml(text));
  } catch (error) {
    if (error instanceof EngineAnswerError) return false;
    throw error;
  }
}
