// Chooses SDS's penalties on the last 16 calibration documents, which calibrate nothing: the first 64
// windows end before them. Only the chosen model meets the evaluation text. Needs the data folder.
import { definePipeline } from "@espalier/pipeline"

const documents = {
  use: "text/load",
  path: "data:text/tinystories_eval_norm.jsonl",
  field: "text",
}
const calibrate = { model: "$model", calibration: "$calib", sparsity: "2:4", window: 256 }
const measure = { use: "model/perplexity", window: 256 }
const penalties = [0.001, 0.003, 0.01, 0.03]

const choose = (mask: "wanda" | "sparsegpt") => {
  const candidates = penalties.map(
    (absolutePenalty) => [`${absolutePenalty}`, `${mask}-${1000 * absolutePenalty}`] as const,
  )
  const map = (suffix: string) =>
    Object.fromEntries(candidates.map(([name, id]) => [`λ₁ ${name}`, `$${id}${suffix}`]))
  return [
    ...candidates.flatMap(([name, id]) => [
      [id, { use: "prune/sds", mask, absolutePenalty: Number(name), samples: 64, ...calibrate }],
      [`${id}-selection`, { ...measure, model: `$${id}`, text: "$selection" }],
    ]),
    [`${mask}-control`, { use: "prune/masked-least-squares", mask, samples: 64, ...calibrate }],
    [`${mask}-control-perplexity`, { ...measure, model: `$${mask}-control`, text: "$eval" }],
    [`${mask}-chosen`, { use: "model/select", candidates: map(""), scores: map("-selection") }],
    [`${mask}-chosen-perplexity`, { ...measure, model: `$${mask}-chosen`, text: "$eval" }],
  ]
}

export default definePipeline({
  name: "prune-selection",
  steps: {
    model: {
      use: "model/load",
      path: "data:language-models/stories260K.bin",
      tokenizer: "data:language-models/tok512.bin",
    },
    calib: { ...documents, take: 48 },
    selection: { ...documents, skip: 48, take: 16 },
    eval: { ...documents, skip: 64 },
    ...Object.fromEntries([...choose("wanda"), ...choose("sparsegpt")]),
    summary: {
      use: "report/table",
      columns: ["perplexity", "sparsity"],
      rows: {
        "refitted, Wanda's zeros": "$wanda-control-perplexity",
        "SDS from Wanda": "$wanda-chosen-perplexity",
        "refitted, SparseGPT's zeros": "$sparsegpt-control-perplexity",
        "SDS from SparseGPT": "$sparsegpt-chosen-perplexity",
      },
    },
  },
})
