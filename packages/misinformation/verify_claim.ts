import { generateObject, type InvalidAnswer, type LanguageModelError } from "@espalier/llm"
import { Effect, Schema } from "effect"
import type { LanguageModel } from "effect/ai"
import { leadWords } from "./baselines.ts"
import { type Claim, formatInstruction, type Item } from "./item.ts"
import type { Label } from "./label.ts"
import { labelOf } from "./label.ts"
import type { Span } from "./sentences.ts"
import { splitSentences } from "./sentences.ts"

/** What a language model is asked for. */
const Answer = Schema.Struct({
  prediction: Schema.Literals(["True", "False", "NEI"]),
  explanation: Schema.String.annotate({
    description: "why, in sentences of the contextual information wherever it has them",
  }),
  evidence: Schema.Array(Schema.String).annotate({
    description: "passages of the contextual information, copied to the letter",
  }),
}).annotate({ identifier: "fact_check" })

/** A passage that a language model cites. */
export interface Citation {
  readonly text: string
  /** Where it stands in the context; none where it does not stand there. */
  readonly span: Span | undefined
}

/** What a language model makes of a claim. */
export interface VerifiedClaim {
  /** None where its answer had no valid form. */
  readonly label: Label | undefined
  readonly explanation: string
  readonly evidence: ReadonlyArray<Citation>
  /** Citations that do not stand in the context: made up, or not copied to the letter. */
  readonly unfounded: number
  /** The answer that had no valid form, and neither had its repair. */
  readonly invalid?: InvalidAnswer
}

/** How a language model is asked. */
export interface VerifyOptions {
  /** Items with right answers that are shown before, such as {@link makeNeighbours} finds. */
  readonly examples?: ReadonlyArray<Item>
  /** Words of an example's context that are shown; 300. */
  readonly exampleWords?: number
}

/** A text without what typesetting changes: runs of white space, curly quotes; with its places. */
const plain = (text: string) => {
  let letters = ""
  const places: Array<number> = []
  for (const [i, letter] of Array.from({ length: text.length }, (_, at) => text[at]).entries()) {
    const same = /\s/.test(letter)
      ? " "
      : letter.replace(/[“”„]/, '"').replace(/[‘’]/, "'").replace(/[–—]/, "-")
    if (same === " " && letters.endsWith(" ")) continue
    letters += same
    places.push(i)
  }
  return { letters, places }
}

/**
 * Where a passage stands in a context, white space and the form of quotes and dashes aside; none where
 * it does not.
 *
 * @example
 * ```ts
 * import { findPassage } from "@espalier/misinformation"
 * console.log(findPassage("It was  “fake”, he said.", 'was "fake"')) // { start: 3, end: 14 }
 * ```
 */
export const findPassage = (context: string, passage: string): Span | undefined => {
  const wanted = plain(passage).letters.trim()
  if (wanted === "") return undefined
  const { letters, places } = plain(context)
  const at = letters.indexOf(wanted)
  return at === -1 ? undefined : { start: places[at], end: places[at + wanted.length - 1] + 1 }
}

const system = `You check claims against contextual information. Decide only by that information: True, False, or NEI where it is not enough. Answer as JSON with the fields prediction, explanation and evidence. Each element of evidence is a passage copied to the letter from the contextual information of the claim that is asked about.`

/** The answer that would have been right, with the first passages of its explanation as evidence. */
const exampleAnswer = (context: string, { label, explanation }: Item) => {
  const sentences = splitSentences(explanation).map(({ start, end }) =>
    explanation.slice(start, end),
  )
  const evidence = sentences.filter((each) => findPassage(context, each) !== undefined).slice(0, 2)
  return JSON.stringify({
    prediction: label,
    explanation: sentences.slice(0, 6).join(" "),
    evidence,
  })
}

/** The conversation that ends with the challenge's prompt for the claim, to the letter. */
export const verifierPrompt = (
  claim: Claim,
  { examples = [], exampleWords = 300 }: VerifyOptions = {},
) => [
  { role: "system" as const, content: system },
  ...examples.flatMap((item) => {
    const context = leadWords(item.context, exampleWords)
    return [
      { role: "user" as const, content: formatInstruction({ claim: item.claim, context }) },
      { role: "assistant" as const, content: exampleAnswer(context, item) },
    ]
  }),
  { role: "user" as const, content: formatInstruction(claim) },
]

/**
 * Asks the `LanguageModel` of the context about a claim, with a structured answer. Evidence is looked
 * up in the context: what does not stand there has no span and is counted. An answer without a valid
 * form, after one repair, is no failure: it has no label, and `invalid` says what was wrong. Fails as
 * the model does, with `BudgetExhausted` where a budget is spent.
 *
 * @example
 * ```ts
 * import { scriptedLanguageModel } from "@espalier/llm"
 * import { verifyClaim } from "@espalier/misinformation"
 * import { Effect } from "effect"
 *
 * const model = scriptedLanguageModel([
 *   '{"prediction": "False", "explanation": "It is a hoax.", "evidence": ["a hoax", "a joke"]}',
 * ])
 * const verdict = await verifyClaim({ claim: "Sharks fly.", context: "This is a hoax." }).pipe(
 *   Effect.provide(model),
 *   Effect.runPromise,
 * )
 * console.log(verdict.label, verdict.unfounded) // False 1
 * ```
 */
export const verifyClaim = (
  claim: Claim,
  options: VerifyOptions = {},
): Effect.Effect<
  VerifiedClaim,
  Exclude<LanguageModelError, InvalidAnswer>,
  LanguageModel.LanguageModel
> =>
  generateObject({ prompt: verifierPrompt(claim, options), schema: Answer }).pipe(
    Effect.map(({ value }): VerifiedClaim => {
      const evidence = value.evidence.map((text) => ({
        text,
        span: findPassage(claim.context, text),
      }))
      return {
        label: labelOf(value.prediction),
        explanation: value.explanation,
        evidence,
        unfounded: evidence.filter(({ span }) => span === undefined).length,
      }
    }),
    Effect.catchTag("InvalidAnswer", (invalid) =>
      Effect.succeed({ label: undefined, explanation: "", evidence: [], unfounded: 0, invalid }),
    ),
  )
