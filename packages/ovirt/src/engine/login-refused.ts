import { AuthenticationError } from "@ovault/contract";

/** The engine answered HTTP 401 to this user. */
export function loginRefused(): AuthenticationError {
  return new AuthenticationError("the engine refuses user name or password", {
    hint: "Check user, profile (what follows the last @) and password in ovault.yaml.",
  });
}
