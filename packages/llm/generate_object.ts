import { Effect, Schema } from "effect"
import { type AiError, LanguageModel, Prompt } from "effect/ai"
import { type CarriedError, InvalidAnswer, typedErrors } from "./typed_errors.ts"

/** Options of {@link generateObject}. */
export interface GenerateObjectOptions<A, I extends Record<string, unknown>, RD, RE> {
  readonly prompt: Prompt.RawInput
  /** A struct at its root: servers take no other. */
  readonly schema: Schema.Codec<A, I, RD, RE>
  /** What the answer is called in requests and errors; the schema's identifier, else `answer`. */
  readonly objectName?: string
}

/** An answer that fits its schema. */
export interface GeneratedObject<A> {
  readonly value: A
  /** The answer with its tokens and its reason to end. */
  readonly response: LanguageModel.GenerateTextResponse<{}>
  /** 2 where the first answer had to be repaired. */
  readonly attempts: 1 | 2
}

/** What is wrong with an answer, or `undefined` where the error is not about one. */
const badAnswer = (error: AiError.AiError) =>
  error.reason._tag === "StructuredOutputError"
    ? { answer: error.reason.responseText, problem: error.reason.description }
    : undefined

const nameOf = (schema: Schema.Top): string => {
  const identifier = schema.ast.annotations?.["identifier"]
  return typeof identifier === "string" ? identifier.replaceAll(/[^\w-]/g, "_") : "answer"
}

/** The JSON Schema that a model is shown. */
const shownSchema = (schema: Schema.Top): string => {
  const { schema: root, definitions } = Schema.toJsonSchemaDocument(schema)
  const shown = Object.keys(definitions).length === 0 ? root : { ...root, $defs: definitions }
  return JSON.stringify(shown, undefined, 2)
}

const repairPrompt = (
  prompt: Prompt.RawInput,
  schema: Schema.Top,
  { answer, problem }: { readonly answer: string; readonly problem: string },
): Prompt.Prompt => {
  const request = [
    "Your answer does not fit the schema it must have:",
    problem,
    "The schema (JSON Schema) is:",
    shownSchema(schema),
    "Answer again with the corrected JSON alone.",
  ].join("\n\n")
  return Prompt.concat(Prompt.make(prompt), [
    { role: "assistant", content: answer === "" ? "(no answer)" : answer },
    { role: "user", content: request },
  ])
}

const repairHint =
  "Use a larger model, allow longer answers (maxTokens), or ask for a simpler schema; the answer is in the field `answer`."

/**
 * Asks for an answer that fits a schema. An answer that does not is shown to the model once more,
 * with what is wrong and the schema; after a second bad answer it fails with `InvalidAnswer`, which
 * holds it. Errors of budgets and cassettes have their own types (see `typedErrors`).
 *
 * @example
 * ```ts
 * import { generateObject, scriptedLanguageModel } from "@espalier/llm"
 * import { Effect, Schema } from "effect"
 *
 * const Height = Schema.Struct({ metres: Schema.Finite })
 * const model = scriptedLanguageModel(['{"metres": "tall"}', '{"metres": 1345}'])
 * const answer = generateObject({ prompt: "How tall is Ben Nevis?", schema: Height })
 * const { value, attempts } = await Effect.runPromise(Effect.provide(answer, model))
 * console.log(value.metres, attempts) // 1345 2
 * ```
 */
export const generateObject = <A, I extends Record<string, unknown>, RD, RE>(
  options: GenerateObjectOptions<A, I, RD, RE>,
): Effect.Effect<
  GeneratedObject<A>,
  AiError.AiError | CarriedError | InvalidAnswer,
  LanguageModel.LanguageModel | RD | RE
> => {
  const { schema, objectName = nameOf(schema) } = options
  const ask = (prompt: Prompt.RawInput) =>
    LanguageModel.generateObject({ prompt, schema, objectName })
  const repair = (bad: { readonly answer: string; readonly problem: string }) =>
    ask(repairPrompt(options.prompt, schema, bad)).pipe(
      Effect.map((response) => ({ value: response.value, response, attempts: 2 as const })),
      Effect.mapError((error) => {
        const again = badAnswer(error)
        return again === undefined
          ? error
          : new InvalidAnswer({ objectName, ...again, hint: repairHint })
      }),
    )
  return ask(options.prompt).pipe(
    Effect.map((response) => ({ value: response.value, response, attempts: 1 as const })),
    Effect.catch((error) => {
      const bad = badAnswer(error)
      return bad === undefined ? Effect.fail(error) : repair(bad)
    }),
    typedErrors,
  )
}
