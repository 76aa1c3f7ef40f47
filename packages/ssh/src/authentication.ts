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

async function parsePrivateKey(text: string, passphrase: string | undefined): Promise<ParsedKey> {
  const { default: ssh2 } = await import("ssh2");
  const parsed = ssh2.utils.parseKey(text, passphrase);
  // Its messages describe the form of the key, never its content.
  if (parsed instanceof Error) throw unusableKey(parsed.message);
  if (!parsed.isPrivateKey()) throw unusableKey("it is a public key");
  return parsed;
}

function unusableKey(why: string): SshLoginError {
  return new SshLoginError(`the private key cannot be used: ${why}`, {
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
