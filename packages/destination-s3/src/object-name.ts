/** Names in listings come URL-encoded; one that is not is nobody's object of ours. */
export function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
