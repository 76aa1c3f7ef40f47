import { ConfigurationError } from "@ovault/contract";

export interface UserName {
  readonly user: string;
  readonly profile: string;
}

/**
 * Splits a login name at its last `@` into user and profile, as the engine does: `joe@corp.local@LDAP` is `joe@corp.local`
 * of profile `LDAP`; with Keycloak, `admin@ovirt@internalsso` is `admin@ovirt` of `internalsso`.
 *
 * @throws ConfigurationError when one of the two is missing.
 */
export function parseUserName(name: string): UserName {
  const at = name.lastIndexOf("@");
  const user = name.slice(0, Math.max(at, 0));
  const profile = name.slice(at + 1);
  if (at > 0 && profile !== "") return { user, profile };
  throw new ConfigurationError(`the user name "${name}" has no profile`, {
    hint: "Add it after an @: admin@internal, joe@corp.local@LDAP, or with Keycloak admin@ovirt@internalsso.",
  });
}
