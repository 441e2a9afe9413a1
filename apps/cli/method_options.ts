import { suggest } from "@espalier/pipeline"
import { Result, Schema } from "effect"

/** A whole number above 0. */
export const Count = Schema.Int.check(Schema.isGreaterThan(0))
/** A number above 0. */
export const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
/** A number that is not below 0. */
export const Penalty = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** A key that may be left out. */
export const option = <S extends Schema.Top & { readonly DecodingServices: never }>(
  schema: S,
  description: string,
) => Schema.optionalKey(schema.annotate({ description }) as unknown as S)

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

/** The options of a method from `name=value` texts; `family` is what its step's name begins with. */
export const readMethodOptions = (
  family: string,
  { name, options }: { readonly name: string; readonly options: Schema.Struct.Fields },
  given: ReadonlyArray<string>,
): Result.Result<unknown, InvalidMethodOption> => {
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
  return Result.mapError(Schema.decodeUnknownResult(schema)(values), ({ message }) => {
    const [detail] = message.split("\n  at ")
    const hint = `espalier steps says what the options of ${family}/${name} take`
    return new InvalidMethodOption({ method: name, option: given.join(" "), detail, hint })
  })
}
