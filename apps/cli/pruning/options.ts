import { suggest } from "@espalier/pipeline"
import type { Pruner } from "@espalier/pruning"
import { Result, Schema } from "effect"
import type { PruneMethod } from "./methods.ts"

/** An option that the method does not have, or a value that it does not take. */
export class InvalidMethodOption extends Schema.TaggedError<InvalidMethodOption>()(
  "InvalidMethodOption",
  { method: Schema.String, option: Schema.String, detail: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `--option ${this.option}: ${this.detail}`
  }
}

/** Numbers, booleans and null as JSON has them; everything else is text. */
const parseValue = (text: string): unknown => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? text : value
  } catch {
    return text
  }
}

/** A pruner from `name=value` texts. */
export const makePruner = (
  method: PruneMethod,
  given: ReadonlyArray<string>,
): Result.Result<Pruner, InvalidMethodOption> => {
  const { name, options, make } = method
  const known = Object.keys(options)
  const values: Record<string, unknown> = {}
  for (const text of given) {
    const at = text.indexOf("=")
    const option = at < 0 ? text : text.slice(0, at)
    const fail = (detail: string, hint: string) =>
      Result.fail(new InvalidMethodOption({ method: name, option: text, detail, hint }))
    if (at < 0) return fail("needs a value", `write --option ${option}=VALUE`)
    if (!known.includes(option)) {
      return fail(`${name} has no such option`, suggest(option, known, `options of ${name}`))
    }
    values[option] = parseValue(text.slice(at + 1))
  }
  const schema = Schema.Struct(options) as unknown as Schema.Codec<unknown, unknown>
  const decoded = Schema.decodeUnknownResult(schema)(values)
  if (Result.isFailure(decoded)) {
    const [detail] = decoded.failure.message.split("\n  at ")
    const hint = `espalier steps prune/${name} says what its options take`
    return Result.fail(
      new InvalidMethodOption({ method: name, option: given.join(" "), detail, hint }),
    )
  }
  return Result.succeed(make(decoded.success as never))
}
