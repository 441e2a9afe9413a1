import { Predicate } from "effect"

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | JsonObject

/** An object that JSON can hold. */
export interface JsonObject {
  readonly [key: string]: Json
}

/**
 * Brings any plain value into JSON's world without losing what JSON cannot say: numbers that are not
 * finite become the strings `"NaN"`, `"Infinity"` and `"-Infinity"`, `undefined` properties go,
 * typed arrays become arrays, big integers become strings, and of the rest only the name of its type is left.
 *
 * @example
 * ```ts
 * import { toJson } from "@espalier/pipeline"
 *
 * toJson({ perplexity: Infinity, note: undefined }) // { perplexity: "Infinity" }
 * ```
 */
export const toJson = (value: unknown): Json => {
  if (value === null || value === undefined) return null
  if (typeof value === "boolean" || typeof value === "string") return value
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value)
  if (Array.isArray(value)) return value.map(toJson)
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return Array.from(value as unknown as ArrayLike<unknown>, toJson)
  }
  if (Predicate.isObject(value)) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined && typeof item !== "function")
        .map(([key, item]) => [key, toJson(item)]),
    )
  }
  return typeof value === "bigint" ? value.toString() : typeof value
}

/**
 * The one JSON text of a value: keys sorted by code unit, no white space, numbers in JavaScript's
 * shortest form (RFC 8785). Equal values have equal texts, so its hash is a content hash.
 *
 * @throws RangeError where a number is not finite.
 *
 * @example
 * ```ts
 * import { canonicalJson } from "@espalier/pipeline"
 *
 * canonicalJson({ b: [1, 2.5], a: null }) // '{"a":null,"b":[1,2.5]}'
 * ```
 */
export const canonicalJson = (value: Json): string => {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new RangeError(`JSON has no number ${value}`)
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value)
  if (isJsonArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`)
  return `{${fields.join(",")}}`
}

/** Whether a JSON value is an array. */
export const isJsonArray = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

/** Whether a JSON value is an object. */
export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  Predicate.isObject(value) && !Array.isArray(value)
