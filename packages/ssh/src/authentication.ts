import type { AnyAuthMethod, KeyboardInteractiveAuthMethod, ParsedKey } from "ssh2";

import { SshLoginError } from "./errors.ts";

/** How to log in, including the secrets: never log it or put it into an error. */
export type Authentication =
  | { readonly by: "key"; readonly key: string; readonly passphrase?: string }
  | { readonly by: "agent"; readonly socket: string }
  | { readonly by: "password"; readonly password: string };

/**
 * The methods to try, in this order. Call once: deciphering a private key takes a quarter of a second.
 * @throws SshLoginError when the private key is invalid, or the passphrase is wrong
 */
export async function loginMethods(username: string, login: Authentication): Promise<AnyAuthMethod[]> {
  switch (login.by) {
    case "key":
      return [{ type: "publickey", username, key: await parsePrivateKey(login.key, login.passphrase) }];
    case "agent":
      return [{ type: "agent", username, agent: login.socket }];
    case "password":
      return [
        { type: "password", username, password: login.password },
        // Servers with PAM may request the password only like this.
        { type: "keyboard-interactive", username, prompt: answerWith(login.password) },
      ];
  }
}

/** What ssh2 says of a key that it cannot open without a passphrase. */
const IS_ENCRYPTED = /no passphrase given/;

/**
 * Whether a text is a private key, without deciphering it.
 * @throws SshLoginError when it is none, or when it has a passphrase and none is configured
 */
export async function assertPrivateKey(
  text: string,
  { title, hasPassphrase }: { readonly title: string; readonly hasPassphrase: boolean },
): Promise<void> {
  const { default: ssh2 } = await import("ssh2");
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error && hasPassphrase && IS_ENCRYPTED.test(parsed.message)) return;
  assertUsable(parsed, title);
}

async function parsePrivateKey(text: string, passphrase: string | undefined): Promise<ParsedKey> {
  const { default: ssh2 } = await import("ssh2");
  return assertUsable(ssh2.utils.parseKey(text, passphrase));
}

function assertUsable(parsed: ParsedKey | Error, title = "the private key"): ParsedKey {
  // Its messages describe the form of the key, never its content.
  if (parsed instanceof Error) throw unusableKey(title, parsed.message);
  if (!parsed.isPrivateKey()) throw unusableKey(title, "it is a public key");
  return parsed;
}

function unusableKey(title: string, why: string): SshLoginError {
  return new SshLoginError(`${title} cannot be used: ${why}`, {
    hint: "It has to be a private key as ssh-keygen makes it; one with a passphrase needs `passphrase`.",
  });
}

/** Sends the password in reply to a single hidden prompt, and answers nothing else. */
function answerWith(password: string): KeyboardInteractiveAuthMethod["prompt"] {
  return (_name, _instructions, _language, prompts, finish) => {
    const [prompt, ...more] = prompts;
    finish(prompt !== undefined && prompt.echo !== true && more.length === 0 ? [password] : []);
  };
}
