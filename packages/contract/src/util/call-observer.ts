const ignore = (): void => undefined;

/** Calls an observer. What it throws, at once or as the rejection of a promise, goes to `onFailure` alone. */
export function callObserver(call: () => unknown, onFailure: (error: unknown) => void = ignore): void {
  try {
    void Promise.resolve(call()).catch(onFailure);
  } catch (error) {
    onFailure(error);
  }
}
