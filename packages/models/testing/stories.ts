import { Result } from "effect"
import { readData, readDocuments } from "@espalier/testing"
import { decodeLlama2c } from "../llama2c.ts"
import { decodeTokenizer } from "../tokenizer.ts"
import type { Tokenizer } from "../tokenizer_interface.ts"
import { makeLlama } from "../llama.ts"
import type { Llama } from "../llama.ts"
import { cutWindows, tokenStream } from "../text_windows.ts"

/** The real pre-trained model of the data folder, or its int8 export. */
export const readStories = (file = "stories260K.bin"): Llama => {
  const path = `language-models/${file}`
  const { config, parameters } = Result.getOrThrow(decodeLlama2c(readData(path), path))
  return makeLlama(config, parameters)
}

/** Its tokenizer. */
export const readStoriesTokenizer = (): Tokenizer => {
  const path = "language-models/tok512.bin"
  return Result.getOrThrow(decodeTokenizer(readData(path), path))
}

/** The first windows of its evaluation text: documents 65 and on, as in the pruning tables. */
export const readEvaluationWindows = (samples: number, window = 256): ReadonlyArray<Int32Array> => {
  const documents = readDocuments("text/tinystories_eval_norm.jsonl").slice(64)
  const stream = tokenStream(readStoriesTokenizer(), documents)
  return Result.getOrThrow(cutWindows(stream, { window, samples })).windows
}
