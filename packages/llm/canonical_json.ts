import { Predicate } from "effect"

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | JsonObject

/** An object that JSON can hold. */
export interface JsonObject {
  readonly [key: string]: Json
}

/** Brings a plain value into JSON's world: what is `undefined` goes, all else must be JSON. */
export const toJson = (value: unknown): Json => JSON.parse(JSON.stringify(value) ?? "null")

const isObject = (value: Json): value is JsonObject => Predicate.isObject(value) && !isArray(value)

const isArray = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

/** The one JSON text of a value: keys sorted by code unit, no white space (RFC 8785). */
export const canonicalJson = (value: Json): string => {
  if (isArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  if (!isObject(value)) return JSON.stringify(value)
  const fields = Object.entries(value)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`)
  return `{${fields.join(",")}}`
}

/** A copy of a JSON value in which every text, names of fields included, went through `change`. */
export const mapTexts = (value: Json, change: (text: string) => string): Json => {
  if (typeof value === "string") return change(value)
  if (isArray(value)) return value.map((item) => mapTexts(item, change))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [change(key), mapTexts(item, change)]),
  )
}
