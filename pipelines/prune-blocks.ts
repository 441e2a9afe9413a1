// Trains the blocks of a pruned model to give their dense outputs: on the calibration text alone, and
// with text that the dense model wrote. Where zeros and first weights come from, and the number of
// epochs, are chosen on the last 16 calibration documents. Needs the data folder; about a quarter of an hour.
import { definePipeline } from "@espalier/pipeline"

const documents = {
  use: "text/load",
  path: "data:text/tinystories_eval_norm.jsonl",
  field: "text",
}
const measure = { use: "model/perplexity", window: 256 }

const texts = {
  "calibration text": {
    calibration: "$calib",
    samples: 64,
    starts: ["masked-least-squares", "admm"],
    epochs: [20, 40],
  },
  "with generated text": {
    calibration: "$more",
    samples: 512,
    starts: ["admm"],
    epochs: [6, 12],
  },
}

const steps = Object.entries(texts).flatMap(([name, { calibration, samples, starts, epochs }]) => {
  const id = name.replaceAll(" ", "-")
  const block = { use: "prune/block", model: "$model", sparsity: "2:4", window: 256 }
  const cells = starts.flatMap((start) =>
    epochs.map((count) => ({ name: `${start}, ${count} epochs`, start, count })),
  )
  const cellId = ({ start, count }: (typeof cells)[number]) => `${id}-${start}-${count}`
  const candidates = (suffix: string) =>
    Object.fromEntries(cells.map((cell) => [cell.name, `$${cellId(cell)}${suffix}`]))
  return [
    ...cells.flatMap((cell) => [
      [cellId(cell), { ...block, calibration, samples, start: cell.start, epochs: cell.count }],
      [`${cellId(cell)}-selection`, { ...measure, model: `$${cellId(cell)}`, text: "$selection" }],
    ]),
    [id, { use: "model/select", candidates: candidates(""), scores: candidates("-selection") }],
    [`${id}-perplexity`, { ...measure, model: `$${id}`, text: "$eval" }],
  ]
})

export default definePipeline({
  name: "prune-blocks",
  steps: {
    model: {
      use: "model/load",
      path: "data:language-models/stories260K.bin",
      tokenizer: "data:language-models/tok512.bin",
    },
    calib: { ...documents, take: 48 },
    selection: { ...documents, skip: 48, take: 16 },
    eval: { ...documents, skip: 64 },
    written: { use: "text/generate", model: "$model", documents: 400 },
    more: { use: "text/join", texts: ["$calib", "$written"] },
    dense: { ...measure, model: "$model", text: "$eval" },
    ...Object.fromEntries(steps),
    summary: {
      use: "report/table",
      columns: ["perplexity", "sparsity"],
      rows: Object.fromEntries([
        ["dense", "$dense"],
        ...Object.keys(texts).map((name) => [name, `$${name.replaceAll(" ", "-")}-perplexity`]),
      ]),
    },
  },
})
