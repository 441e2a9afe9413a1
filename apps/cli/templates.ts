/** Pipelines to begin with; the placeholders in capitals are for whoever begins. */
export const templates = {
  demo: {
    about: "grow a tiny model on generated stories and prune it; needs no data",
    text: `name: stories
seed: 0
steps:
  stories: { use: text/stories, part: training, stories: 2000 }
  calibration: { use: text/stories, part: calibration, stories: 100 }
  evaluation: { use: text/stories, part: evaluation, stories: 100 }
  model:
    use: model/train
    text: $stories
    dimension: 64
    hiddenDimension: 176
    layers: 2
    heads: 4
    keyValueHeads: 2
    contextLength: 128
    embeddingScale: 3.2
    window: 128
    batch: 8
    steps: 200
    learningRate: 0.004
  dense: { use: model/perplexity, model: $model, text: $evaluation, window: 128 }
  # One step for each value, and one of each that takes them: pruned[sparsity=0.5] …
  pruned:
    use: prune/wanda
    matrix: { sparsity: [0.3, 0.5, 0.7] }
    model: $model
    calibration: $calibration
    window: 128
    samples: 32
  perplexity: { use: model/perplexity, model: $pruned, text: $evaluation, window: 128 }
  summary:
    use: report/table
    columns: [perplexity, sparsity]
    rows: { dense: $dense, wanda: $perplexity }
`,
  },
  prune: {
    about: "prune a checkpoint of your own in several ways and compare",
    text: `name: prune
seed: 0
steps:
  # A folder in the Hugging Face layout, and texts as lines of JSON.
  model: { use: model/load, path: MODEL }
  calibration: { use: text/load, path: CALIBRATION.jsonl, take: 128 }
  evaluation: { use: text/load, path: EVALUATION.jsonl }
  dense: { use: model/perplexity, model: $model, text: $evaluation, window: 512 }
  wanda: { use: prune/wanda, model: $model, calibration: $calibration, matrix: { sparsity: [0.5, "2:4"] }, window: 512 }
  wanda-perplexity: { use: model/perplexity, model: $wanda, text: $evaluation, window: 512 }
  sparsegpt: { use: prune/sparsegpt, model: $model, calibration: $calibration, matrix: { sparsity: [0.5, "2:4"] }, window: 512 }
  sparsegpt-perplexity: { use: model/perplexity, model: $sparsegpt, text: $evaluation, window: 512 }
  summary:
    use: report/table
    columns: [perplexity, sparsity]
    rows: { dense: $dense, Wanda: $wanda-perplexity, SparseGPT: $sparsegpt-perplexity }
`,
  },
  quantize: {
    about: "quantise a checkpoint of your own in several ways, compare, and export one",
    text: `name: quantize
seed: 0
steps:
  # A folder in the Hugging Face layout, and texts as lines of JSON.
  model: { use: model/load, path: MODEL }
  calibration: { use: text/load, path: CALIBRATION.jsonl, take: 128 }
  evaluation: { use: text/load, path: EVALUATION.jsonl }
  dense: { use: model/perplexity, model: $model, text: $evaluation, window: 512 }
  rtn: { use: quantize/rtn, model: $model, matrix: { bits: [8, 4, 3] }, group: 128 }
  rtn-perplexity: { use: model/perplexity, model: $rtn, text: $evaluation, window: 512 }
  gptq: { use: quantize/gptq, model: $model, calibration: $calibration, matrix: { bits: [4, 3] }, group: 128, window: 512 }
  gptq-perplexity: { use: model/perplexity, model: $gptq, text: $evaluation, window: 512 }
  export: { use: model/export, model: "$gptq[bits=4]", format: pack-quantized }
  summary:
    use: report/table
    columns: [perplexity, bitsPerWeight]
    rows: { dense: $dense, RTN: $rtn-perplexity, GPTQ: $gptq-perplexity }
`,
  },
  train: {
    about: "train a small model on a text of your own, and let it write",
    text: `name: train
seed: 0
steps:
  # One document, or many: parted by split, or lines of JSON.
  text: { use: text/load, path: TEXT.txt, split: "\\n\\n" }
  model:
    use: model/train
    text: $text
    dimension: 128
    hiddenDimension: 384
    layers: 4
    heads: 4
    keyValueHeads: 4
    contextLength: 256
    window: 256
    batch: 16
    steps: 2000
    learningRate: 0.003
  written: { use: text/generate, model: $model, documents: 5, tokens: 200 }
`,
  },
  misinformation: {
    about: "train and judge a detector of misinformation on claims of your own",
    text: `name: misinformation
seed: 0
steps:
  # JSON lines as of the FMD challenge: claim and context in instruction, label and explanation in output.
  items: { use: fmd/load, path: CLAIMS.jsonl }
  detector: { use: fmd/cross-validate, items: $items }
  lead: { use: fmd/baseline, items: $items }
  detector-figures: { use: fmd/evaluate, items: $items, verdicts: $detector }
  lead-figures: { use: fmd/evaluate, items: $items, verdicts: $lead }
  above-lead: { use: fmd/compare, items: $items, verdicts: [$detector], baseline: [$lead] }
  summary:
    use: report/table
    columns: [microF1, microF1 95 %, macroF1, rouge1, rouge1 95 %, overall]
    rows: { detector: $detector-figures, majority and lead: $lead-figures, difference: $above-lead }
`,
  },
  trading: {
    about: "backtest agents on prices and news of your own; places no orders",
    text: `name: trading
seed: 0
steps:
  # { "YYYY-MM-DD": { "prices": 123.45, "news": ["… (sentiment: positive)"] }, … }
  backtest:
    use: trade/backtest
    path: PRICES.json
    # The default agent learns from a warm-up: add warmUpFrom and warmUpTo, and begin after it with from.
    matrix: { agent: [buy-and-hold, random, momentum, moving-average-cross, news-sentiment, default], fee: [0, 0.001] }
  summary:
    use: report/table
    columns: [cumulativeReturn, sharpe, annualVolatility, maxDrawdown, nextCumulativeReturn, nextSharpe]
    rows: $backtest
  worth:
    use: report/table
    columns: [totalReturn, totalReturnLow, totalReturnHigh, overBuyAndHold, overBuyAndHoldLow, overBuyAndHoldHigh]
    rows: $backtest
`,
  },
} as const satisfies Readonly<Record<string, { readonly about: string; readonly text: string }>>
