import type { AddedToken } from "./added_tokens.ts"
import type { JsonRecord } from "./problem.ts"
import { isRecord, readArray, readRecord, readString, show, unsupported } from "./problem.ts"

/** The tokens before and after a document. */
export interface DocumentTokens {
  readonly begin?: number
  readonly end?: number
}

/** Names of end tokens, the more particular before the more general. */
const endNames = [
  "<|eot_id|>",
  "<|im_end|>",
  "<|end_of_text|>",
  "<|endoftext|>",
  "<eos>",
  "</s>",
] as const

const templateKinds = ["ByteLevel", "TemplateProcessing", "Sequence"]

/** The names of the special tokens that a post-processor puts before a text. */
const namesBefore = (value: unknown, where: string): ReadonlyArray<string> => {
  if (value === null || value === undefined) return []
  const part = readRecord(value, where)
  switch (part["type"]) {
    case "ByteLevel":
      return []
    case "TemplateProcessing": {
      const single = readArray(part["single"], `${where}.single`)
      const pieces = single.map((piece, i) => readRecord(piece, `${where}.single[${i}]`))
      const sequence = pieces.findIndex((piece) => "Sequence" in piece)
      return pieces.slice(0, Math.max(0, sequence)).map((piece, i) => {
        const at = `${where}.single[${i}].SpecialToken`
        return readString(readRecord(piece["SpecialToken"], at)["id"], `${at}.id`)
      })
    }
    case "Sequence":
      return readArray(part["processors"], `${where}.processors`).flatMap((inner, i) =>
        namesBefore(inner, `${where}.processors[${i}]`),
      )
    default:
      throw unsupported("post-processor", `${where}.type ${show(part["type"])}`, templateKinds)
  }
}

/** A name in tokenizer_config.json: a text, or an object with its content. */
const nameOf = (value: unknown): string | undefined => {
  const content = isRecord(value) ? value["content"] : value
  return typeof content === "string" ? content : undefined
}

/** The begin token that the post-processor of a tokenizer.json puts before a text. */
export const readBegin = (
  postProcessor: unknown,
  tokenOf: (name: string) => number | undefined,
): number | undefined => {
  const names = namesBefore(postProcessor, "post_processor")
  if (names.length > 1) {
    const found = `post_processor with ${names.map(show).join(" and ")} before a text`
    throw unsupported("post-processor", found, ["one begin token"])
  }
  const begin = names.length === 0 ? undefined : tokenOf(names[0])
  if (names.length === 1 && begin === undefined) {
    throw unsupported("post-processor", `${show(names[0])}, which is no token`, ["a token"])
  }
  return begin
}

/** The begin token after `add_bos_token` and `bos_token` of tokenizer_config.json have had their say. */
export const configuredBegin = (
  config: JsonRecord,
  begin: number | undefined,
  tokenOf: (name: string) => number | undefined,
): number | undefined => {
  if (config["add_bos_token"] === false) return undefined
  const name = config["add_bos_token"] === true ? nameOf(config["bos_token"]) : undefined
  return (name === undefined ? undefined : tokenOf(name)) ?? begin
}

/** The end token: `eos_token` of tokenizer_config.json, else the special token with a usual name. */
export const findEnd = (
  config: JsonRecord,
  added: ReadonlyArray<AddedToken>,
  tokenOf: (name: string) => number | undefined,
): number | undefined => {
  const named = nameOf(config["eos_token"])
  if (named !== undefined) return tokenOf(named)
  const contents = new Set(added.filter(({ special }) => special).map(({ content }) => content))
  const usual = endNames.find((name) => contents.has(name))
  return usual === undefined ? undefined : tokenOf(usual)
}
