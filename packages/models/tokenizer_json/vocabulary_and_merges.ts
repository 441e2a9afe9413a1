import type { Result } from "effect"
import { decodeStrictUtf8 } from "../bytes.ts"
import type { Tokenizer, TokenizerFormatError } from "../tokenizer_interface.ts"
import type { JsonRecord } from "./problem.ts"
import { isRecord, readFlag, show, TokenizerProblem } from "./problem.ts"
import type { TokenizerJsonOptions } from "./tokenizer_json.ts"
import {
  makeTokenizerFromJson,
  parseConfig,
  parseJsonRecord,
  withoutProblems,
} from "./tokenizer_json.ts"

/** The two files that GPT-2 and OPT keep their tokenizer in. */
export interface VocabularyAndMerges {
  /** vocab.json: an object from tokens to their numbers. */
  readonly vocabulary: Uint8Array
  /** merges.txt: a pair of tokens a line, the one learnt first first. */
  readonly merges: Uint8Array
}

const readMerges = (bytes: Uint8Array): ReadonlyArray<readonly [string, string]> => {
  const text = decodeStrictUtf8(bytes)
  if (text === undefined) {
    const hint = "Is this another kind of file?"
    throw new TokenizerProblem("a merges.txt", "bytes that are not UTF-8", hint)
  }
  const merges: Array<readonly [string, string]> = []
  for (const [i, line] of text.split("\n").entries()) {
    const trimmed = line.replace(/\r$/, "")
    if (trimmed === "" || (i === 0 && trimmed.startsWith("#version"))) continue
    const [left, right, ...more] = trimmed.split(" ")
    if (left === "" || right === undefined || right === "" || more.length > 0) {
      throw new TokenizerProblem(
        `line ${i + 1} of merges.txt to be two tokens with a space between them`,
        show(trimmed),
        "Is this another kind of file, or was it cut off?",
      )
    }
    merges.push([left, right])
  }
  return merges
}

const usualSpecial = ["<|endoftext|>", "<s>", "</s>", "<pad>", "<unk>", "<mask>"]
const configured = ["bos_token", "eos_token", "unk_token", "pad_token"]

/** The special tokens of a vocabulary: those with usual names, and those that the configuration names. */
const specialTokens = (vocabulary: JsonRecord, config: JsonRecord) => {
  const named = configured.map((key) => {
    const value = config[key]
    return isRecord(value) ? value["content"] : value
  })
  return [...new Set([...usualSpecial, ...named])]
    .filter((name): name is string => typeof name === "string" && Object.hasOwn(vocabulary, name))
    .map((content) => ({ id: vocabulary[content], content, special: true, normalized: false }))
}

/**
 * The byte-level tokenizer of a vocab.json and a merges.txt, as GPT-2 and OPT have them. Written with
 * `encodeTokenizer` it is a tokenizer.json.
 *
 * Fails with {@link TokenizerFormatError}.
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import { decodeVocabularyAndMerges } from "@espalier/models"
 *
 * const bytes = (text: string) => new TextEncoder().encode(text)
 * const files = {
 *   vocabulary: bytes('{"a":0,"b":1,"ab":2,"<|endoftext|>":3}'),
 *   merges: bytes("#version: 0.2\na b\n"),
 * }
 * const tokenizer = Result.getOrThrow(decodeVocabularyAndMerges(files, "gpt"))
 * console.log(tokenizer.encode("aab"), tokenizer.end) // Int32Array [ 0, 2 ] 3
 * ```
 */
export const decodeVocabularyAndMerges = (
  files: VocabularyAndMerges,
  path: string,
  options: TokenizerJsonOptions = {},
): Result.Result<Tokenizer, TokenizerFormatError> =>
  withoutProblems(path, () => {
    const config = parseConfig(options)
    const vocabulary = parseJsonRecord(files.vocabulary, "a vocab.json")
    const prefix = readFlag(config["add_prefix_space"], "add_prefix_space", false)
    const byteLevel = { type: "ByteLevel", add_prefix_space: prefix, trim_offsets: true }
    return makeTokenizerFromJson(
      {
        version: "1.0",
        truncation: null,
        padding: null,
        added_tokens: specialTokens(vocabulary, config),
        normalizer: null,
        pre_tokenizer: { ...byteLevel, use_regex: true },
        post_processor: byteLevel,
        decoder: byteLevel,
        model: {
          type: "BPE",
          dropout: null,
          unk_token: null,
          continuing_subword_prefix: null,
          end_of_word_suffix: null,
          fuse_unk: false,
          vocab: vocabulary,
          merges: readMerges(files.merges),
        },
      },
      options,
    )
  })
