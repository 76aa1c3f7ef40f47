const MASK = "•••";

/** Shorter secrets are not masked: they would mask innocent words. */
const MIN_SECRET_LENGTH = 4;

/** Credentials recognizable by their form. The first group is the part to keep. */
const FORMS: readonly RegExp[] = [
  /(authorization["']?\s*[:=]\s*["']?(?:basic|bearer)\s+)[^\s"',]+/gi,
  /((?:password|passphrase|access_token|secret)=)[^\s"',;&]+/gi,
  /("(?:password|passphrase|access_token|secret)"\s*:\s*")[^"]+/gi,
  // No scheme is longer; without a limit, matching a long word takes quadratic time.
  /([a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@]+:)[^\s/@]+(?=@)/gi,
  /(https?:\/\/[^\s/]+\/images\/)[^\s/"']+/gi,
];

/**
 * Masks secrets in all output: registered values, in plain, URL-encoded and Base64 form, and whatever looks like a
 * credential (an imageio ticket in a URL is one).
 */
export class Redactor {
  readonly #values = new Set<string>();

  /** Registers `secret` and each of its lines for masking: output is often processed line by line. */
  add(secret: string): void {
    this.#add(secret);
    const lines = secret.split("\n");
    // After the whole secret, which could no longer be found once one of its lines is masked.
    if (lines.length > 1) for (const line of lines) this.#add(line.trim());
  }

  redact(text: string): string {
    let masked = text;
    for (const value of this.#values) masked = masked.replaceAll(value, MASK);
    for (const form of FORMS) masked = masked.replace(form, `$1${MASK}`);
    return masked;
  }

  #add(secret: string): void {
    if (secret.length < MIN_SECRET_LENGTH) return;
    this.#values.add(secret);
    this.#values.add(encodeURIComponent(secret));
    this.#values.add(Buffer.from(secret).toString("base64"));
    this.#values.add(JSON.stringify(secret).slice(1, -1));
  }
}
