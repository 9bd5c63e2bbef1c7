/** Figures for people; JSON keeps the numbers. */

/** `42s`, `3m 20s`, `5h 2m`, `9d 4h`. */
export function age(seconds: number | null): string {
  if (seconds === null) return '-';
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)}h ${Math.floor((whole % 3_600) / 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3_600)}h`;
}

export function ageOf(timestamp: string | null, now = Date.now()): string {
  return timestamp === null ? '-' : age((now - Date.parse(timestamp)) / 1_000);
}

/** `in 5m 2s`, or `12s ago`. */
export function whenOf(timestamp: string | null, now = Date.now()): string {
  if (timestamp === null) return '-';
  const seconds = (Date.parse(timestamp) - now) / 1_000;
  return seconds >= 0 ? `in ${age(seconds)}` : `${age(-seconds)} ago`;
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MB`;
}

/** `2026-03-02 12:00:00 UTC`, whatever the zone it is given in: a reader's clock is seldom in UTC. */
export function moment(timestamp: string | null): string {
  return timestamp === null ? '-' : `${new Date(timestamp).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
