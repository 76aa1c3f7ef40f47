import { didYouMean, NotFoundError } from "@ovault/contract";
import type { Policy } from "../policies/policy.ts";
import type { Configuration } from "./configuration.ts";

/** @throws NotFoundError */
export function choosePolicy({ file, policies }: Configuration, name: string): Policy {
  const policy = policies.get(name);
  if (policy !== undefined) return policy;
  throw new NotFoundError(`there is no policy "${name}"${didYouMean(name, policies.keys())}`, {
    context: { file, policy: name },
    hint: policies.size === 0 ? `${file} has none.` : `Configured: ${[...policies.keys()].join(", ")}.`,
  });
}
