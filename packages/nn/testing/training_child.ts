// Trains a small model with everything that a run can remember: `node training_child.ts FOLDER`. Its
// checkpoints lie in FOLDER, and so does what it ends with; says what it does, a line each.
import { Checkpoint, type CheckpointStore } from "@espalier/runtime"
import { DeviceArray, HostArray, Program, Spec, Tensor } from "@espalier/tensor"
import { layer } from "@espalier/wasm"
import { Effect, Option } from "effect"
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { adamW } from "../adamw.ts"
import * as Layers from "../layers.ts"
import { warmupCosine } from "../schedules.ts"
import { train } from "../train.ts"
import { encodeTree } from "../tree_file.ts"
import { hostNumbers } from "./evaluate.ts"

type T = Tensor.Tensor

const [folder] = process.argv.slice(2)
const steps = 40

/** At once, so that whoever reads it knows that it has happened. */
const say = (...words: ReadonlyArray<unknown>) =>
  Effect.sync(() => void writeSync(1, `${words.join(" ")}\n`))

const file = join(folder, "checkpoint.json")
const store: CheckpointStore = {
  load: () =>
    Effect.sync(() => {
      if (!existsSync(file)) return Option.none()
      const kept = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>
      const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64"))
      return Option.some(
        Object.fromEntries(Object.entries(kept).map(([name, text]) => [name, bytes(text)])),
      )
    }),
  save: (_, files) =>
    say("saving").pipe(
      Effect.andThen(
        Effect.sync(() => {
          const kept = Object.entries(files).map(([name, bytes]) => [
            name,
            Buffer.from(bytes).toString("base64"),
          ])
          writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(kept)))
          renameSync(`${file}.new`, file)
        }),
      ),
    ),
  clear: () => Effect.sync(() => rmSync(file, { force: true })),
}

const width = 16
const batch = (step: number, part: number) => {
  const x = hostNumbers([8, width], 2 * step + part)
  const y = Float32Array.from({ length: 8 }, (_, row) => {
    const values = Array.from(x.data.subarray(row * width, (row + 1) * width))
    return Math.sin(4 * values.reduce((sum, value) => sum + value, 0))
  })
  return { x, y: HostArray.make([8, 1], y) }
}
const parameters = {
  first: hostNumbers([32, width], 3),
  bias: HostArray.zeros([32]),
  second: hostNumbers([1, 32], 4),
}
interface Network {
  readonly first: T
  readonly bias: T
  readonly second: T
}
const loss = (p: Network, { x, y }: { readonly x: T; readonly y: T }) => {
  const hidden = Tensor.tanh(Tensor.add(Layers.linear(x, p.first), p.bias))
  return Tensor.mean(Tensor.square(Tensor.sub(Layers.linear(hidden, p.second), y)))
}
const held = batch(1000, 0)

await Effect.gen(function* () {
  const measure = yield* Program.compile(
    Program.make("measure", { p: Spec.of(parameters), b: Spec.of(held) }, ({ p, b }) => loss(p, b)),
  )
  const { parameters: last, ...rest } = yield* train({
    name: "network",
    parameters,
    batch,
    loss,
    optimizer: adamW({ weightDecay: 0.01 }),
    learningRate: warmupCosine({ peak: 0.03, warmup: 4, steps }),
    clip: 1,
    steps,
    accumulate: 2,
    average: 0.9,
    evaluate: {
      every: 3,
      run: (p) =>
        Effect.gen(function* () {
          const made = yield* measure({ p, b: held })
          const [value] = yield* DeviceArray.toArray(made)
          DeviceArray.release(made)
          return value
        }),
      patience: 20,
    },
    onEvent: (event) =>
      event._tag === "Resumed" || event._tag === "StepDone" || event._tag === "Evaluated"
        ? say(event._tag, event.step)
        : Effect.void,
    checkpointSeconds: 0,
  })
  const { average, best, ...figures } = rest
  writeFileSync(
    join(folder, "parameters.bin"),
    encodeTree({ last, average, best: best?.parameters }),
  )
  writeFileSync(
    join(folder, "figures.json"),
    JSON.stringify({ ...figures, best: { step: best?.step, value: best?.value } }),
  )
}).pipe(
  Effect.scoped,
  Effect.provideService(Checkpoint, store),
  Effect.provide(layer({ threads: 1 })),
  Effect.runPromise,
)
