import { Result } from "effect"
import { decodeManifest, type ReportRun } from "../mod.ts"

type Document = Readonly<Record<string, unknown>>

/** A step's part of a manifest and its part of the pipeline. */
interface TestStep {
  readonly configuration?: Document
  readonly record: Document
}

const manifestOf = (steps: Readonly<Record<string, TestStep>>, more: Document = {}): Document => ({
  run: "20270102-030405-abcd",
  name: "prune-and-round",
  status: "done",
  started: "2027-01-02T03:04:05.678Z",
  finished: "2027-01-02T03:06:07.000Z",
  seed: 7,
  device: { kind: "wasm", adapter: "WebAssembly SIMD, 2 threads", software: false, dispatches: 9 },
  environment: { node: "v24.21.0", platform: "linux-x64" },
  packages: { "@espalier/pruning": "0.1.0+abc", "@espalier/cli": "0.1.0+def" },
  file: "pipelines/prune-and-round.yaml",
  inputs: [{ path: "data/text.txt", sha256: "86c4".repeat(16), bytes: 1115394 }],
  ...more,
  pipeline: {
    name: "prune-and-round",
    description: "What pruning and rounding cost.",
    seed: 7,
    steps: Object.fromEntries(
      Object.entries(steps).map(([id, { configuration, record }]) => [
        id,
        { use: record.use, ...configuration },
      ]),
    ),
  },
  steps: Object.fromEntries(
    Object.entries(steps).map(([id, { record }], i) => [
      id,
      {
        status: "done",
        seconds: 1 + i,
        dispatches: 3,
        hostFallbacks: [],
        notices: [],
        metrics: {},
        key: `${i}`.padStart(64, "0"),
        reasons: ["never run"],
        computed: { finished: "2027-01-02T03:05:00.000Z", seconds: 1 + i },
        outputs: {},
        files: {},
        ...record,
      },
    ]),
  ),
})

const layers = (scale: number) =>
  Object.fromEntries(
    ["query", "key", "value", "output", "gate", "up", "down"].flatMap((linear, i) =>
      [0, 1].map((block) => [`blocks.${block}.${linear}`, scale * (1 + i + 4 * block)]),
    ),
  )

const sweep = [0.3, 0.5, 0.7].flatMap((sparsity, i) => {
  const id = `[sparsity=${sparsity}]`
  const layerError = { overall: 0.01 * 4 ** i, layers: layers(0.002 * 4 ** i) }
  return [
    [
      `pruned${id}`,
      {
        configuration: { model: "$model", calibration: "$text", sparsity },
        record: {
          use: "prune/wanda",
          metrics: { sparsity: { overall: sparsity }, layerError, seconds: 1, peakMemory: 200 + i },
        },
      },
    ],
    [
      `measured${id}`,
      {
        configuration: { model: `$pruned${id}`, text: "$text", window: 128 },
        record: {
          use: "model/perplexity",
          metrics: { perplexity: 5 * 3 ** i, sparsity: { overall: sparsity } },
        },
      },
    ],
  ] as const
})

const rounded = [4, 3, 2].flatMap((bits, i) => [
  [
    `rtn-${bits}`,
    {
      configuration: { model: "$model", bits },
      record: { use: "quantize/rtn", metrics: { bitsPerWeight: bits + 0.25 }, peakMemory: 300 },
    },
  ] as const,
  [
    `rtn-${bits}-perplexity`,
    {
      configuration: { model: `$rtn-${bits}`, text: "$text", window: 128 },
      record: {
        use: "model/perplexity",
        metrics: { perplexity: 4.9 * 2 ** i, bitsPerWeight: bits + 0.25, sparsity: 0.1 },
      },
    },
  ] as const,
])

/** A manifest with something for every section. */
export const fullManifest = (more: Document = {}): Document =>
  manifestOf(
    {
      text: {
        configuration: { path: "data:text.txt" },
        record: { use: "text/load", status: "cached", metrics: { documents: 822 } },
      },
      model: {
        configuration: { text: "$text", steps: 400, learningRate: 0.004 },
        record: {
          use: "model/train",
          notices: ["2 documents were too short"],
          outputs: { model: { type: "Model", sha256: "ab".repeat(32), files: {} } },
          metrics: {
            loss: 2.18,
            evaluations: { 0: 512.5, 100: 24.2, 200: 9.5, 300: 5.5, 400: 4.8 },
            losses: Object.fromEntries(
              Array.from({ length: 400 }, (_, i) => [i + 1, 6 / Math.sqrt(1 + i / 8)]),
            ),
          },
        },
      },
      dense: {
        configuration: { model: "$model", text: "$text", window: 128 },
        record: { use: "model/perplexity", metrics: { perplexity: 4.8, sparsity: { overall: 0 } } },
      },
      ...Object.fromEntries(sweep),
      ...Object.fromEntries(rounded),
      summary: {
        configuration: {
          rows: { dense: "$dense", "RTN, 4 bits": "$rtn-4-perplexity" },
          columns: ["perplexity", "bitsPerWeight"],
        },
        record: {
          use: "report/table",
          metrics: {
            table: {
              dense: { perplexity: 4.8, bitsPerWeight: null },
              "RTN, 4 bits": { perplexity: 4.9, bitsPerWeight: 4.25 },
            },
          },
        },
      },
    },
    more,
  )

/** A manifest in which a step failed and another was skipped. */
export const failedManifest = (): Document =>
  manifestOf(
    {
      model: { configuration: { path: "model" }, record: { use: "model/load", seconds: 0 } },
      eval: {
        configuration: { model: "$model" },
        record: {
          use: "model/perplexity",
          status: "failed",
          seconds: 0,
          computed: null,
          key: null,
          error: {
            tag: "NonFinite",
            message: "window 0 is not finite",
            hint: "Its weights overflow.",
          },
        },
      },
      table: {
        configuration: { rows: ["$eval"] },
        record: { use: "report/table", status: "skipped", seconds: 0, reason: "eval failed" },
      },
    },
    { status: "failed" },
  )

/** A manifest that has nothing but what every manifest has. */
export const smallManifest = (): Document => ({
  run: "r",
  name: "small",
  status: "done",
  steps: { greet: { use: "demo/greet", status: "done" } },
})

/** Texts that would do harm where they are not escaped. */
export const hostile = `<script>alert(1)</script><img src=x onerror=alert(2)>]]>--></style></svg>"'\`|$x$ javascript:alert(3)`

/** A manifest with {@link hostile} wherever there may be text. */
export const hostileManifest = (): Document => {
  const spoil = (value: unknown): unknown => {
    if (typeof value === "string") return value.startsWith("$") ? value : `${value}${hostile}`
    if (Array.isArray(value)) return value.map(spoil)
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, spoil(item)]))
  }
  const full = JSON.parse(JSON.stringify(fullManifest())) as {
    steps: Record<string, { use: string; metrics: Document; error?: unknown }>
    pipeline: { steps: Record<string, Document>; name: string; description: string }
  }
  const { steps, pipeline, ...rest } = full
  steps.model.error = { tag: "Tag", message: "message", hint: "hint" }
  const ids = new Map(Object.keys(steps).map((id) => [id, `${id}${hostile}`]))
  const rename = (text: string) =>
    text.replace(/"\$([^"]+)"/g, (whole, id: string) =>
      ids.has(id) ? JSON.stringify(`$${ids.get(id)}`) : whole,
    )
  const named = (documents: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(Object.entries(documents).map(([id, one]) => [ids.get(id) ?? id, one]))
  const configuration = JSON.parse(rename(JSON.stringify(pipeline.steps))) as Document
  return {
    ...(spoil(rest) as Document),
    pipeline: { ...pipeline, description: `about ${hostile}`, steps: named(configuration) },
    steps: named(
      Object.fromEntries(
        Object.entries(steps).map(([id, step]) => {
          const { table, layerError, ...metrics } = step.metrics as {
            table?: Document
            layerError?: { overall: number; layers: Document }
          }
          const spoiled = {
            ...metrics,
            [hostile]: hostile,
            ...(table === undefined
              ? {}
              : { table: { ...table, [hostile]: { [hostile]: hostile } } }),
            ...(layerError === undefined
              ? {}
              : {
                  layerError: { ...layerError, layers: { ...layerError.layers, [hostile]: 0.1 } },
                }),
          }
          const { use, ...record } = step
          return [id, { ...(spoil(record) as Document), use, metrics: spoiled }]
        }),
      ),
    ),
  }
}

/** The run of a manifest. */
export const runOf = (manifest: unknown): ReportRun =>
  Result.getOrThrow(decodeManifest(manifest, "manifest.json"))
