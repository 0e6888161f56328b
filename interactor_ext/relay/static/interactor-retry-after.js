/** The header `Retry-After`, of streams and of messages. */

/**
 * @param {string | null} retryAfter seconds, or a date
 * @returns {number | undefined} milliseconds
 */
export function waitOf(retryAfter) {
  if (retryAfter === null) return undefined;
  const wait = /^[0-9]+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return wait > 0 ? wait : undefined;
}
