import { Device } from "@espalier/tensor"
import * as Conformance from "@espalier/tensor/conformance"
import * as Wasm from "@espalier/wasm"
import * as WebGpu from "@espalier/webgpu"
import { Effect } from "effect"
import type { BrowserRun, BrowserResult } from "./protocol.ts"

const layerOf = ({ device, threads }: BrowserRun) =>
  device === "wasm" ? Wasm.layer({ poison: true, threads }) : WebGpu.layer({ poison: true })

const run = (options: BrowserRun) =>
  Effect.gen(function* () {
    const { device: kind, seed, examples, graphs, repeat } = options
    const device = yield* Device
    const started = performance.now()
    const before = device.statistics().liveBytes
    const cases = [
      ...Conformance.rowCases(seed, { atMost: examples }),
      ...Conformance.edgeCases(kind === "webgpu").filter((_, i) => i % 4 === seed % 4),
    ]
    for (const one of cases) yield* Conformance.check(one)
    const tally = yield* Conformance.checkGraphs({ seed, count: graphs, repeat })
    const { loss } = yield* Conformance.train({ steps: 200 })
    const large = { steps: kind === "wasm" ? 20 : 2, batch: 128, width: 64, hidden: 128 }
    const { state } = yield* Conformance.train(large)
    return {
      adapter: device.info.adapter,
      isolated: globalThis.crossOriginIsolated,
      cases: cases.length,
      graphs: tally.graphs,
      loss,
      bits: Conformance.digest(state),
      leaked: device.statistics().liveBytes - before,
      seconds: (performance.now() - started) / 1000,
    }
  }).pipe(Effect.provide(layerOf(options)))

/** What the test calls: a tagged error becomes its message. */
const conformance = (options: BrowserRun): Promise<BrowserResult | { readonly problem: string }> =>
  Effect.runPromise(
    run(options).pipe(Effect.catch((error) => Effect.succeed({ problem: error.message }))),
  )

/** Whether the browser gives out a GPU, and which. */
const adapter = async (): Promise<string | undefined> => {
  const found = await (navigator as { readonly gpu?: GPU }).gpu?.requestAdapter()
  return found === null || found === undefined ? undefined : found.info.description || "an adapter"
}

Object.assign(globalThis, { espalier: { conformance, adapter } })
