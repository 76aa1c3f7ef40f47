import type { BasicSession } from "./basic-session.ts";
import { findOldApi } from "./find-old-api.ts";
import type { HttpTransport } from "./http-transport.ts";

/** How to ask an engine without single sign-on. */
export interface OldApiLook {
  readonly transport: HttpTransport;
  readonly session: BasicSession;
  /** Of the configuration. */
  readonly apiPath: string;
  readonly timeoutMs: number;
}

/** The path of an API of version 3, where the engine has one; a look is not interrupted, for others wait for it too. */
export async function lookForOldApi({
  transport,
  session,
  apiPath,
  timeoutMs,
}: OldApiLook): Promise<string | undefined> {
  return await findOldApi(apiPath, async (path) => {
    const answer = await transport.exchange({
      method: "GET",
      path,
      headers: { accept: "application/xml", version: "3", ...(await session.headers()) },
      timeoutMs,
      signal: new AbortController().signal,
    });
    session.learn(answer);
    return answer;
  });
}
