// How much the result of 2:4 pruning depends on the calibration text: on how much there is of it, and on
// which windows of it are drawn (median and range of five seeds). Needs the data folder.
import { definePipeline } from "@espalier/pipeline"

const documents = {
  use: "text/load",
  path: "data:text/tinystories_eval_norm.jsonl",
  field: "text",
}
const seeds = [1, 2, 3, 4, 5]
const sizes = [4, 16, 64]
const methods = {
  wanda: { use: "prune/wanda" },
  sparsegpt: { use: "prune/sparsegpt" },
  refitted: { use: "prune/masked-least-squares" },
  sds: { use: "prune/sds" },
}

const cells = Object.entries(methods).flatMap(([method, step]) =>
  sizes.map((samples) => ({ id: `${method}-${samples}`, step, samples })),
)

const steps = cells.flatMap(({ id, step, samples }) => [
  ...seeds.flatMap((seed) => [
    [
      `${id}-seed-${seed}`,
      {
        ...step,
        model: "$model",
        calibration: "$calib",
        sparsity: "2:4",
        window: 256,
        sampling: "random",
        samples,
        seed,
      },
    ],
    [
      `${id}-seed-${seed}-perplexity`,
      { use: "model/perplexity", model: `$${id}-seed-${seed}`, text: "$eval", window: 256 },
    ],
  ]),
  [id, { use: "report/spread", rows: seeds.map((seed) => `$${id}-seed-${seed}-perplexity`) }],
])

export default definePipeline({
  name: "prune-sweeps",
  steps: {
    model: {
      use: "model/load",
      path: "data:language-models/stories260K.bin",
      tokenizer: "data:language-models/tok512.bin",
    },
    calib: { ...documents, take: 64 },
    eval: { ...documents, skip: 64 },
    ...Object.fromEntries(steps),
    summary: {
      use: "report/table",
      columns: ["perplexity", "smallest", "largest", "runs"],
      rows: Object.fromEntries(
        cells.map(({ id, samples }) => [`${id.split("-")[0]}, ${samples} windows`, `$${id}`]),
      ),
    },
  },
})
