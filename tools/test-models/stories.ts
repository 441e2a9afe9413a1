import type { CausalLM } from "@espalier/models"
import {
  cutWindows,
  decodeLlama2c,
  decodeTokenizer,
  makeLlama,
  tokenStream,
} from "@espalier/models"
import { readData, readDocuments } from "@espalier/testing"
import { Result } from "effect"

/** The real pre-trained model stories260K. */
export const readStories = (): CausalLM => {
  const path = "language-models/stories260K.bin"
  const { config, parameters } = Result.getOrThrow(decodeLlama2c(readData(path), path))
  return makeLlama(config, parameters)
}

/** Windows of 256 of its text: documents 1–64 calibrate, the others evaluate. */
export const readWindows = (samples: number, half: "calibration" | "evaluation") => {
  const path = "language-models/tok512.bin"
  const tokenizer = Result.getOrThrow(decodeTokenizer(readData(path), path))
  const documents = readDocuments("text/tinystories_eval_norm.jsonl")
  const own = half === "calibration" ? documents.slice(0, 64) : documents.slice(64)
  const stream = tokenStream(tokenizer, own)
  return Result.getOrThrow(cutWindows(stream, { window: 256, samples })).windows
}
