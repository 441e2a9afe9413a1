// A pipeline in TypeScript: what each method costs as sparsity grows. Needs the data folder.
import { definePipeline } from "@espalier/pipeline"

const percentages = [10, 20, 30, 40, 50, 60]

const pruned = percentages.flatMap((percent) => {
  const sparsity = percent / 100
  const measure = { use: "model/perplexity", text: "$eval", window: 256 }
  return [
    [`magnitude-${percent}`, { use: "prune/magnitude", model: "$model", sparsity }],
    [`magnitude-${percent}-perplexity`, { ...measure, model: `$magnitude-${percent}` }],
    [
      `wanda-${percent}`,
      {
        use: "prune/wanda",
        model: "$model",
        calibration: "$calib",
        sparsity,
        window: 256,
        samples: 64,
      },
    ],
    [`wanda-${percent}-perplexity`, { ...measure, model: `$wanda-${percent}` }],
  ]
})

const documents = {
  use: "text/load",
  path: "data:text/tinystories_eval_norm.jsonl",
  field: "text",
}

export default definePipeline({
  name: "sparsity-sweep",
  steps: {
    model: {
      use: "model/load",
      path: "data:language-models/stories260K.bin",
      tokenizer: "data:language-models/tok512.bin",
    },
    calib: { ...documents, take: 64 },
    eval: { ...documents, skip: 64 },
    dense: { use: "model/perplexity", model: "$model", text: "$eval", window: 256 },
    ...Object.fromEntries(pruned),
    summary: {
      use: "report/table",
      columns: ["perplexity", "sparsity"],
      rows: Object.fromEntries([
        ["dense", "$dense"],
        ...["magnitude", "wanda"].flatMap((method) =>
          percentages.map((percent) => [
            `${method} ${percent} %`,
            `$${method}-${percent}-perplexity`,
          ]),
        ),
      ]),
    },
  },
})
