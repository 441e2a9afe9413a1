const known = new Set(["done", "cached", "failed", "skipped", "interrupted"])

/** The class of a status; one of a later version looks like none in particular. */
export const statusClass = (status: string): string =>
  known.has(status) ? `is-${status}` : "is-other"
