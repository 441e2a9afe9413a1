import { Device, DeviceArray, HostArray } from "@espalier/tensor"
import * as Wasm from "@espalier/wasm"
import * as WebGpu from "@espalier/webgpu"
import type { Scope } from "effect"
import { Effect, Layer } from "effect"
import { parseArgs } from "node:util"
import { findCase } from "../cases/all.ts"
import { installEmptyKernels } from "../empty_kernels.ts"
import { softwareAdapter } from "../report.ts"
import { serve } from "../serve.ts"

// Our own engine, used as anybody would use it.

const { values: options } = parseArgs({
  options: {
    threads: { type: "string", default: "1" },
    device: { type: "string", default: "wasm" },
    "empty-kernels": { type: "boolean", default: false },
    plain: { type: "boolean", default: false },
  },
})

const emptyKernels = options["empty-kernels"] ? installEmptyKernels() : () => {}

const threads = Number(options.threads)
const layer =
  options.device === "webgpu"
    ? Layer.merge(WebGpu.layer({ software: "allow" }), Wasm.linearAlgebra())
    : Layer.merge(Wasm.layer({ threads }), Wasm.linearAlgebra({ threads }))

const main = Effect.gen(function* () {
  const context = yield* Effect.context<Device | Scope.Scope>()
  const run = Effect.runPromiseWith(context)
  const { info } = yield* Device
  const one = yield* DeviceArray.fromHost(HostArray.make([1], [1]))
  // Reading back waits for all work that was handed in before.
  const finished = info.kind === "webgpu" ? DeviceArray.toHost(one) : Effect.void
  yield* Effect.promise(() =>
    serve(async () => ({
      versions: () =>
        info.kind === "webgpu" && info.software
          ? `${info.adapter} ${softwareAdapter}`
          : info.adapter,
      prepare: async (name, quick) => {
        const { ours, plain } = findCase(name, quick ? "quick" : "full").implementations
        const subject = await run(options.plain && plain !== undefined ? plain : ours)
        return {
          values: () => run(subject.values),
          iterate: (count) => {
            emptyKernels()
            return run(
              Effect.gen(function* () {
                for (let i = 0; i < count; i++) yield* subject.once
                yield* finished
              }),
            )
          },
        }
      },
    })),
  )
})

await Effect.runPromise(main.pipe(Effect.scoped, Effect.provide(layer)))
