/** An object out of a JSON document. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a value out of a JSON document is an object. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The value as a number where it is one; `"Infinity"`, `"-Infinity"` and `"NaN"` are what JSON has for those. */
export const toNumber = (value: unknown): number | undefined => {
  if (typeof value === "number") return value
  return value === "Infinity" || value === "-Infinity" || value === "NaN"
    ? Number(value)
    : undefined
}

/** A figure, or the `overall` figure of a group of them. */
export const toFigure = (value: unknown): number | undefined =>
  isJsonObject(value) ? toNumber(value.overall) : toNumber(value)

/** The values at the leaves of a document with the path of each: `steps.model.seed`. */
export const leavesOf = (value: unknown, path = ""): ReadonlyArray<readonly [string, unknown]> => {
  if (!isJsonObject(value)) return [[path, value]]
  return Object.entries(value).flatMap(([key, item]) =>
    leavesOf(item, path === "" ? key : `${path}.${key}`),
  )
}
