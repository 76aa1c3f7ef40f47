import type { AsyncSeriesHook } from "tapable";

/**
 * Calls every tap of a hook, in order, also after failures, and resolves to what they threw. The hook's own `promise`
 * would stop at the first failure.
 */
export async function callEveryTap<T extends readonly unknown[]>(
  hook: AsyncSeriesHook<T>,
  ...args: T
): Promise<readonly unknown[]> {
  const failures: unknown[] = [];
  for (const { type, fn } of hook.taps) {
    try {
      await called(type, fn, args);
    } catch (error) {
      failures.push(error);
    }
  }
  return failures;
}

async function called(type: "sync" | "async" | "promise", tap: Function, args: readonly unknown[]): Promise<void> {
  if (type !== "async") {
    await Reflect.apply(tap, undefined, args);
    return;
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const callback = (error?: Error | null | false): void => (error ? reject(error) : resolve());
  Reflect.apply(tap, undefined, [...args, callback]);
  await promise;
}
