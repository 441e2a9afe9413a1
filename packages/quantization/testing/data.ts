import type { CausalLM, Llama, LlamaConfig } from "@espalier/models"
import {
  cutWindows,
  decodeLlama2c,
  decodeTokenizer,
  llamaParameterShapes,
  makeLlama,
  makeLlamaConfig,
  mapLlamaParameters,
  tokenStream,
} from "@espalier/models"
import { HostArray } from "@espalier/tensor"
import { Result } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { makeNumbers } from "./layers.ts"

const workspace = join(dirname(fileURLToPath(import.meta.url)), "../../..")
const folder = process.env["ESPALIER_DATA"] ?? join(workspace, "../shared/data")
const model = join(folder, "language-models/stories260K.bin")

/** True where the tests that need real data can run. */
export const hasData: boolean = existsSync(model)

/** Appended to the name of a test that needs data, so that a skip explains itself. */
export const needsData: string = hasData
  ? ""
  : " (skipped: no data folder; set ESPALIER_DATA or provide ../shared/data)"

/** The real pre-trained model. */
export const readStories = (): CausalLM => {
  const { config, parameters } = Result.getOrThrow(decodeLlama2c(readFileSync(model), model))
  return makeLlama(config, parameters)
}

/** Windows of 256 of its text: documents 1–64 calibrate, the others evaluate. */
export const readWindows = (samples: number, half: "calibration" | "evaluation") => {
  const path = join(folder, "language-models/tok512.bin")
  const tokenizer = Result.getOrThrow(decodeTokenizer(readFileSync(path), path))
  const documents = readFileSync(join(folder, "text/tinystories_eval_norm.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const row: { readonly text: string } = JSON.parse(line)
      return row.text
    })
  const own = half === "calibration" ? documents.slice(0, 64) : documents.slice(64)
  const stream = tokenStream(tokenizer, own)
  return Result.getOrThrow(cutWindows(stream, { window: 256, samples })).windows
}

/** A small model with deterministic weights, whose widths groups of 32 divide. */
export const tinyLlama = (change: Partial<LlamaConfig> = {}): Llama => {
  const config = Result.getOrThrow(
    makeLlamaConfig({
      dimension: 32,
      hiddenDimension: 64,
      layers: 2,
      heads: 4,
      keyValueHeads: 4,
      vocabularySize: 11,
      contextLength: 12,
      ...change,
    }),
  )
  const next = makeNumbers(5)
  const parameters = mapLlamaParameters(llamaParameterShapes(config), (shape) => {
    const length = shape.reduce((size, extent) => size * extent, 1)
    return HostArray.make(shape, Float32Array.from({ length }, next))
  })
  return makeLlama(config, parameters)
}

/** Windows of deterministic tokens for {@link tinyLlama}. */
export const tinyWindows = (count: number): ReadonlyArray<Int32Array> => {
  const next = makeNumbers(9)
  return Array.from({ length: count }, () =>
    Int32Array.from({ length: 10 }, () => Math.floor((next() + 1) * 5.5)),
  )
}
