import {
  Clock,
  Context,
  Effect,
  type FileSystem,
  Layer,
  type Path,
  type Redacted,
  Semaphore,
} from "effect"
import * as Digest from "effect/crypto/Digest"
import { canonicalJson, type Json, mapTexts } from "../canonical_json.ts"
import { scrubSecrets } from "../secrets.ts"
import { type CassetteFileError, CassetteMiss } from "../typed_errors.ts"
import { type CassetteLine, makeCassetteWriter, readCassette } from "./cassette_file.ts"
import { firstDifference } from "./first_difference.ts"

/**
 * What a cassette does with a call:
 *
 * - `live`: asks the model; the file is neither read nor written.
 * - `record`: asks the model always and records the answer; it takes the place of an earlier one.
 * - `replay`: plays what is recorded, and asks the model for the rest, which it records.
 * - `strict`: plays what is recorded, and fails with `CassetteMiss` for the rest. It needs no key and
 *   no network.
 *
 * In the words of VCR and its kin: `all`, `new_episodes` and `none` are `record`, `replay` and `strict`.
 */
export type CassetteMode = "live" | "record" | "replay" | "strict"

/** The modes of a cassette. */
export const cassetteModes: ReadonlyArray<CassetteMode> = ["live", "record", "replay", "strict"]

/** What a cassette says to a call: the recorded answer, or that the model is to be asked. */
export type Recall =
  | { readonly _tag: "Play"; readonly response: Json }
  | {
      readonly _tag: "Ask"
      readonly keep: (response: Json) => Effect.Effect<void, CassetteFileError>
    }

/** Answers calls that were made before. */
export interface CassetteService {
  readonly recall: (
    request: Json,
    secrets: ReadonlyArray<Redacted.Redacted>,
  ) => Effect.Effect<Recall, CassetteMiss | CassetteFileError>
}

/** The transcript of calls that language models are played from. The default asks always. */
export class Cassette extends Context.Reference<CassetteService>("@espalier/llm/Cassette", {
  defaultValue: () => noCassette,
}) {}

const ask: Recall = { _tag: "Ask", keep: () => Effect.void }

const noCassette: CassetteService = { recall: () => Effect.succeed(ask) }

/** Options of {@link makeCassette}. */
export interface CassetteOptions {
  /** JSON lines, a call each. */
  readonly file: string
  /** `replay` by default. */
  readonly mode?: CassetteMode
  /** Further texts that must not be in the file, beside the keys of the providers. */
  readonly secrets?: ReadonlyArray<Redacted.Redacted>
}

/** Counts how often the same thing was seen before. */
const makeOccurrences = () => {
  const seen = new Map<string, number>()
  return (text: string): number => {
    const occurrence = seen.get(text) ?? 0
    seen.set(text, occurrence + 1)
    return occurrence
  }
}

const missHint =
  "Record it (--cassette-mode replay asks the model for what is not there), or restore the request."

const missOf = (
  file: string,
  lines: Iterable<CassetteLine>,
  missed: { readonly key: string; readonly occurrence: number; readonly request: Json },
): CassetteMiss => {
  const { key, occurrence, request } = missed
  const found = [...lines]
  const same = found.filter((line) => canonicalJson(line.request) === canonicalJson(request))
  const others = found.map((line) => line.request)
  const difference =
    same.length > 0
      ? { at: "its occurrence", recorded: `${same.length}`, asked: `${occurrence + 1}` }
      : (firstDifference(others, request) ?? {
          at: "/",
          recorded: "nothing, it is empty",
          asked: "a request",
        })
  return new CassetteMiss({ file, key, occurrence, ...difference, hint: missHint })
}

/**
 * Opens a cassette. A call's key is the SHA-256 of its canonical request (provider, model, sampling
 * settings, prompt, tools and schema, secrets struck out) and of how often the same request came
 * before it in this run, so that a question asked twice has two answers.
 *
 * Fails with `CassetteFileError` where the file cannot be read.
 */
export const makeCassette = Effect.fnUntraced(function* (options: CassetteOptions) {
  const { file, mode = "replay" } = options
  if (mode === "live") return noCassette
  const digest = yield* Digest.Digest
  const lines = new Map((yield* readCassette(file)).map((line) => [line.key, line]))
  const write = yield* makeCassetteWriter(file)
  const writing = yield* Semaphore.make(1)
  const occurrenceOf = makeOccurrences()

  const recall = Effect.fnUntraced(function* (
    given: Json,
    secrets: ReadonlyArray<Redacted.Redacted>,
  ) {
    const hidden = [...secrets, ...(options.secrets ?? [])]
    const scrub = (json: Json) => mapTexts(json, (text) => scrubSecrets(text, hidden))
    const request = scrub(given)
    const occurrence = occurrenceOf(canonicalJson(request))
    const encoded = new TextEncoder().encode(canonicalJson({ request, occurrence }))
    const key = yield* digest.digestHex(Digest.sha256, encoded)
    const line = lines.get(key)
    if (line !== undefined && mode !== "record") {
      const play: Recall = { _tag: "Play", response: line.response }
      return play
    }
    if (mode === "strict") return yield* missOf(file, lines.values(), { key, occurrence, request })
    const keep = Effect.fnUntraced(function* (response: Json) {
      const recordedAt = new Date(yield* Clock.currentTimeMillis).toISOString()
      const kept = {
        format: 1,
        key,
        occurrence,
        recordedAt,
        request,
        response: scrub(response),
      } as const
      yield* Semaphore.withPermits(writing, 1)(write(kept))
      lines.set(key, kept)
    })
    const asking: Recall = { _tag: "Ask", keep }
    return asking
  })

  const cassette: CassetteService = { recall }
  return cassette
})

/**
 * {@link makeCassette} as a layer.
 *
 * @example
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { cassetteLayer, scriptedLanguageModel } from "@espalier/llm"
 * import { Effect, Layer } from "effect"
 * import { LanguageModel } from "effect/ai"
 * import { mkdtempSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * const file = join(mkdtempSync(join(tmpdir(), "cassette-")), "transcript.jsonl")
 * const ask = (answer: string, mode: "record" | "strict") =>
 *   LanguageModel.generateText({ prompt: "How tall is Ben Nevis?" }).pipe(
 *     Effect.provide(Layer.merge(scriptedLanguageModel(() => answer), cassetteLayer({ file, mode }))),
 *     Effect.provide(NodeServices.layer),
 *     Effect.runPromise,
 *   )
 * await ask("1,345 m", "record")
 * console.log((await ask("never asked", "strict")).text) // 1,345 m
 * ```
 */
export const cassetteLayer = (
  options: CassetteOptions,
): Layer.Layer<never, CassetteFileError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(Cassette, makeCassette(options)).pipe(Layer.provide(Digest.layerWebCrypto))
