import { makeLlamaConfig } from "@espalier/models"
import type { StoredDType } from "@espalier/models"
import { Result } from "effect"
import { parseArgs } from "node:util"
import { writeRandomCheckpoint } from "./random_checkpoint.ts"

// node --conditions=@espalier/source tools/checkpoints/main.ts FOLDER [--layers 22 …]

const text = (value: string) => ({ type: "string", default: value }) as const

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dimension: text("2048"),
    hidden: text("5632"),
    layers: text("22"),
    heads: text("32"),
    "kv-heads": text("4"),
    vocabulary: text("32000"),
    context: text("2048"),
    dtype: text("BF16"),
    "shard-mb": text("500"),
    words: text("100000"),
    seed: text("0"),
  },
})

const dtypes: ReadonlyArray<StoredDType> = ["F32", "F16", "BF16"]

const main = (): string | undefined => {
  const [folder, ...more] = positionals
  if (folder === undefined || more.length > 0) return "give one folder to write to"
  const dtype = dtypes.find((name) => name === values.dtype)
  if (dtype === undefined) return `--dtype must be one of ${dtypes.join(", ")}`
  const config = makeLlamaConfig({
    dimension: Number(values.dimension),
    hiddenDimension: Number(values.hidden),
    layers: Number(values.layers),
    heads: Number(values.heads),
    keyValueHeads: Number(values["kv-heads"]),
    vocabularySize: Number(values.vocabulary),
    contextLength: Number(values.context),
    tiedEmbeddings: false,
  })
  if (Result.isFailure(config)) return config.failure.message
  const started = performance.now()
  writeRandomCheckpoint(folder, {
    config: config.success,
    dtype,
    shardBytes: Number(values["shard-mb"]) * 1e6,
    words: Number(values.words),
    seed: Number(values.seed),
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const { rss } = process.memoryUsage()
  console.log(`${folder}: ${seconds} s, ${Math.round(rss / 2 ** 20)} MiB of memory`)
  return undefined
}

const problem = main()
if (problem !== undefined) {
  console.error(problem)
  process.exitCode = 2
}
