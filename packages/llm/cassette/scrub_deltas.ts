import type { Redacted } from "effect"
import type { Response } from "effect/ai"
import { scrubSecrets } from "../secrets.ts"

type StreamPart = Response.StreamPartEncoded

type Delta = Extract<StreamPart, { readonly delta: string }>

const isDelta = (part: StreamPart): part is Delta => "delta" in part

/**
 * A stream's parts without secrets that lie across several of them: where the joined text of a block
 * holds one, the whole block comes as a single delta.
 */
export const scrubDeltas = (
  parts: ReadonlyArray<StreamPart>,
  secrets: ReadonlyArray<Redacted.Redacted>,
): ReadonlyArray<StreamPart> => {
  const blocks = new Map<string, string>()
  const nameOf = (part: Delta) => `${part.type} ${part.id}`
  for (const part of parts) {
    if (isDelta(part)) blocks.set(nameOf(part), (blocks.get(nameOf(part)) ?? "") + part.delta)
  }
  const told = new Set<string>()
  return parts.flatMap((part): ReadonlyArray<StreamPart> => {
    if (!isDelta(part)) return [part]
    const joined = blocks.get(nameOf(part)) ?? ""
    const scrubbed = scrubSecrets(joined, secrets)
    if (scrubbed === joined) return [part]
    if (told.has(nameOf(part))) return []
    told.add(nameOf(part))
    return [{ ...part, delta: scrubbed }]
  })
}
