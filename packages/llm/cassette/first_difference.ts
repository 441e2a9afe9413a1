import { Predicate } from "effect"
import type { Json } from "../canonical_json.ts"

/** A place where two JSON values differ. */
export interface Difference {
  /** As a JSON pointer (RFC 6901); `/` alone is the whole. */
  readonly at: string
  readonly recorded: string
  readonly asked: string
}

type Leaves = ReadonlyMap<string, string>

const escapeKey = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1")

const collect = (value: Json, at: string, leaves: Map<string, string>): void => {
  const entries: ReadonlyArray<readonly [string, Json]> = Array.isArray(value)
    ? value.map((item, index) => [String(index), item] as const)
    : Predicate.isObject(value)
      ? Object.entries(value)
      : []
  for (const [key, item] of entries) collect(item, `${at}/${escapeKey(key)}`, leaves)
  if (entries.length === 0) leaves.set(at === "" ? "/" : at, JSON.stringify(value))
}

const leavesOf = (value: Json): Leaves => {
  const leaves = new Map<string, string>()
  collect(value, "", leaves)
  return leaves
}

/** The number of leading characters that two texts share. */
const commonPrefix = (left: string, right: string): number => {
  let length = 0
  while (length < left.length && left[length] === right[length]) length++
  return length
}

const before = 20
const shown = 80

/** The part of a text around the place where it differs. */
const around = (text: string | undefined, place: number): string => {
  if (text === undefined) return "nothing"
  const start = Math.max(0, place - before)
  const part = text.slice(start, start + shown)
  return `${start > 0 ? "…" : ""}${part}${start + shown < text.length ? "…" : ""}`
}

const differ = (recorded: Leaves, asked: Leaves): ReadonlyArray<string> => {
  const places = new Set([...asked.keys(), ...recorded.keys()])
  return [...places].filter((at) => recorded.get(at) !== asked.get(at))
}

/**
 * The recorded request that is nearest to the asked one (the fewest places differ; among equals the
 * one that shares most of the text at the first), and where they first differ.
 */
export const firstDifference = (recorded: Iterable<Json>, asked: Json): Difference | undefined => {
  const wanted = leavesOf(asked)
  let best:
    | { readonly places: number; readonly shared: number; readonly found: Difference }
    | undefined
  for (const request of recorded) {
    const leaves = leavesOf(request)
    const places = differ(leaves, wanted)
    if (places.length === 0) continue
    const [at] = places
    const [theirs, ours] = [leaves.get(at), wanted.get(at)]
    const shared = commonPrefix(theirs ?? "", ours ?? "")
    const nearer =
      best === undefined ||
      places.length < best.places ||
      (places.length === best.places && shared > best.shared)
    if (!nearer) continue
    const found = { at, recorded: around(theirs, shared), asked: around(ours, shared) }
    best = { places: places.length, shared, found }
  }
  return best?.found
}
