/** Names in listings are URL-encoded; one that is not cannot be an object of ours. */
export function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
