import { Predicate, Result } from "effect"
import { readAnswer, type Answer } from "./answer.ts"
import { FmdFormatError } from "./errors.ts"
import { type Claim, type Item, parseInstruction } from "./item.ts"
import { labels } from "./label.ts"
import type { Line } from "./lines.ts"
import { nearestWord } from "./nearest_word.ts"

type Read<A> = Result.Result<A, FmdFormatError>

const fail = (path: string, line: number, detail: string, hint: string, field?: string) =>
  Result.fail(
    new FmdFormatError({ path, line, detail, hint, ...(field === undefined ? {} : { field }) }),
  )

/** The object of a line. */
const readObject = (
  path: string,
  { line, text }: Line,
): Read<Readonly<Record<string, unknown>>> => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const problem = error instanceof Error ? error.message.slice(0, 120) : "it cannot be read"
    const hint = "Mend the line, or leave such lines out with --skip-broken."
    return fail(path, line, `not JSON: ${problem}`, hint)
  }
  if (Predicate.isObject(value) && !Array.isArray(value)) {
    return Result.succeed(value)
  }
  return fail(path, line, "not an object", 'Each line must be an object such as {"output": "…"}.')
}

/** A field that must be a text. */
const readText = (path: string, line: Line, field: string): Read<string> =>
  Result.flatMap(readObject(path, line), (record) => {
    const found = record[field]
    if (typeof found === "string") return Result.succeed(found)
    const keys = Object.keys(record)
    const likely = nearestWord(field, keys)
    const has = keys.length === 0 ? "it has no fields" : `its fields are ${keys.join(", ")}`
    return found === undefined
      ? fail(
          path,
          line.line,
          `there is no field "${field}"`,
          likely === undefined
            ? `Give "${field}"; ${has}.`
            : `Did you mean "${field}" by "${likely}"? ${has}.`,
          field,
        )
      : fail(
          path,
          line.line,
          `the field "${field}" is not a text`,
          `Give "${field}" as a JSON string.`,
          field,
        )
  })

/** The `output` of a line of predictions. Whatever text it is, it can be scored. */
export const readPrediction = (path: string, line: Line): Read<string> =>
  readText(path, line, "output")

/** The right answer of a line. One that names no label is an error that says which it may have meant. */
export const readGold = (path: string, line: Line): Read<Answer> =>
  Result.flatMap(readText(path, line, "output"), (output) => {
    const answer = readAnswer(output)
    if (answer.label !== undefined) return Result.succeed(answer)
    const [, word] = /Prediction:\s*([\p{L}\p{N}_]+)/u.exec(output) ?? []
    const likely = word === undefined ? undefined : nearestWord(word, labels)
    const must =
      'The output must begin with "Prediction: True", "Prediction: False" or "Prediction: NEI".'
    return fail(
      path,
      line.line,
      word === undefined ? "the output names no label" : `"${word}" is no label`,
      likely === undefined ? must : `Did you mean "${likely}"? ${must}`,
      "output",
    )
  })

/** The claim and the context of a line. */
export const readClaim = (path: string, line: Line): Read<Claim> =>
  Result.flatMap(readText(path, line, "instruction"), (instruction) => {
    const claim = parseInstruction(instruction)
    const field = "instruction"
    if (claim === undefined) {
      const hint =
        'It must have the claim after " Claim:" and the context after "contextual information:".'
      return fail(
        path,
        line.line,
        "the instruction has not both a claim and a context",
        hint,
        field,
      )
    }
    const empty = claim.claim === "" ? "claim" : claim.context === "" ? "context" : undefined
    return empty === undefined
      ? Result.succeed(claim)
      : fail(
          path,
          line.line,
          `the ${empty} is empty`,
          `Give a ${empty}, or leave such lines out with --skip-broken.`,
          field,
        )
  })

/** A line with claim, context and right answer. */
export const readItem = (path: string, line: Line): Read<Item> =>
  Result.flatMap(readClaim(path, line), (claim) =>
    Result.map(readGold(path, line), ({ label, explanation }) => ({
      ...claim,
      label: label!,
      explanation,
    })),
  )
