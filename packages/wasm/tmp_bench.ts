import { Device, Ir } from "@espalier/tensor"
import { Effect } from "effect"
import { layer } from "@espalier/wasm"
import * as K from "/work/main/packages/wasm/testing/kernels.ts"
import { scheduleOf, floats } from "/work/main/packages/wasm/testing/run_kernel.ts"
const threads = Number(process.argv[2] ?? 1), relaxed = process.argv[3] !== "norelaxed"
const only = process.argv[4]
const bench = (name: string, kc: K.KernelCase, work: number, unit: string, reps = 0) => Effect.gen(function* () {
  if (only && !name.includes(only)) return
  const device = yield* Device
  const s = scheduleOf(kc.kernel)
  const ex = yield* device.compile(s)
  const bufs = yield* Effect.forEach(s.buffers, (b) => device.allocate(b.dtype, b.length))
  for (const [i, id] of s.inputs.entries()) yield* device.write(bufs[id]!, s.buffers[id]!.dtype, kc.inputs[i]!)
  const run = ex.run(s.inputs.map((i) => bufs[i]!), s.outputs.map((i) => bufs[i]!))
  for (let i = 0; i < 10; i++) { Effect.runSync(run); }
  yield* Effect.sleep(50)
  for (let i = 0; i < 10; i++) { Effect.runSync(run); }
  const ts: number[] = []; const t00 = performance.now()
  while (ts.length < 5 || (performance.now() - t00 < 500 && ts.length < 2000)) { const t0 = performance.now(); Effect.runSync(run); ts.push(performance.now() - t0) }
  ts.sort((a, b) => a - b)
  const med = ts[ts.length >> 1]!
  console.log(name.padEnd(40), med.toFixed(4), "ms", (work / med / 1e6).toFixed(1), unit, "best", (work / ts[0]! / 1e6).toFixed(1))
  for (const b of bufs) device.free(b)
}).pipe(Effect.scoped)
const fl = (m: number, n: number, k: number, b = 1) => 2 * m * n * k * b
const unary = (name: any, n: number): K.KernelCase => { const b = new Ir.ExpressionBuilder(); const i = b.variable(0, n); return { kernel: { kind: "map", name, loops: [n], operands: [{ dtype: "f32", length: n, access: "read" }, { dtype: "f32", length: n, access: "write" }], outputs: [{ operand: 1, value: b.unary(name, b.load(0, i, "f32")) }] }, inputs: [floats(n)] } }
const add = (n: number): K.KernelCase => { const b = new Ir.ExpressionBuilder(); const i = b.variable(0, n); return { kernel: { kind: "map", name: "add", loops: [n], operands: [{ dtype: "f32", length: n, access: "read" }, { dtype: "f32", length: n, access: "read" }, { dtype: "f32", length: n, access: "write" }], outputs: [{ operand: 2, value: b.binary("add", b.load(0, i, "f32"), b.load(1, i, "f32")) }] }, inputs: [floats(n), floats(n)] } }
await Effect.runPromise(Effect.gen(function* () {
  console.log((yield* Device).info.adapter)
  for (const n of [128, 256, 512, 1024]) yield* bench(`matmul ${n}`, K.contractCase(n, n, n), fl(n, n, n), "GFLOP/s")
  yield* bench("matmul 512 A W^T", K.contractCase(512, 512, 512, { right: "transposed" }), fl(512, 512, 512), "GFLOP/s")
  yield* bench("matmul 512 A^T B", K.contractCase(512, 512, 512, { left: "transposed" }), fl(512, 512, 512), "GFLOP/s")
  yield* bench("matmul 512 epilogue", K.contractCase(512, 512, 512, { epilogue: true }), fl(512, 512, 512), "GFLOP/s")
  yield* bench("mm 64x512x256", K.contractCase(64, 512, 256), fl(64, 512, 256), "GFLOP/s")
  yield* bench("mm 256x512x64 At", K.contractCase(256, 512, 64, { left: "transposed" }), fl(64, 512, 256), "GFLOP/s")
  yield* bench("mm 2048x172x64 Wt", K.contractCase(2048, 172, 64, { right: "transposed" }), fl(2048, 172, 64), "GFLOP/s")
  yield* bench("mm 8x512x512 Wt", K.contractCase(8, 512, 512, { right: "transposed" }), fl(8, 512, 512), "GFLOP/s")
  yield* bench("attn 128x(128x128x8) qk", K.contractCase(128, 128, 8, { batch: [128], right: "transposed" }), fl(128, 128, 8, 128), "GFLOP/s")
  yield* bench("attn 128x(128x8x128) pv", K.contractCase(128, 8, 128, { batch: [128] }), fl(128, 128, 8, 128), "GFLOP/s")
  yield* bench("attn 32x(128x128x64) qk", K.contractCase(128, 128, 64, { batch: [32], right: "transposed" }), fl(128, 128, 64, 32), "GFLOP/s")
  yield* bench("small 1000x(8x8x8)", K.contractCase(8, 8, 8, { batch: [1000] }), fl(8, 8, 8, 1000), "GFLOP/s")
  yield* bench("matvec 1x2048x2048 Wt", K.contractCase(1, 2048, 2048, { right: "transposed" }), fl(1, 2048, 2048), "GFLOP/s")
  yield* bench("matvec 1x2048x2048", K.contractCase(1, 2048, 2048), fl(1, 2048, 2048), "GFLOP/s")
  yield* bench("matvec 1x512x64 Wt", K.contractCase(1, 512, 64, { right: "transposed" }), fl(1, 512, 64), "GFLOP/s")
  yield* bench("matvec 3x2048x2048 Wt", K.contractCase(3, 2048, 2048, { right: "transposed" }), fl(3, 2048, 2048), "GFLOP/s")
  yield* bench("add 16M", add(1 << 24), 12 * (1 << 24), "GB/s")
  yield* bench("add 64K", add(1 << 16), 12 * (1 << 16), "GB/s")
  for (const f of ["exp", "log", "tanh", "sin", "erf"]) yield* bench(`${f} 1M`, unary(f, 1 << 20), 1 << 20, "Gelem/s")
  yield* bench("sum 16M", K.reduceCase(1, 1 << 24, 1, "plain", "sum"), 4 * (1 << 24), "GB/s")
  yield* bench("sum rows 1024x1024", K.reduceCase(1024, 1024, 1, "plain", "sum"), 4 * (1 << 20), "GB/s")
  yield* bench("sum cols 1024x1024", K.reduceCase(1024, 1024, 0, "plain", "sum"), 4 * (1 << 20), "GB/s")
  yield* bench("max rows 1024x1024", K.reduceCase(1024, 1024, 1, "plain", "maximum"), 4 * (1 << 20), "GB/s")
  yield* bench("argmax 1x32000", K.reduceCase(1, 32000, 1, "plain", "argmax"), 4 * 32000, "GB/s")
  yield* bench("map transposed 1024", K.mapCase(1024, 1024, "transposed"), 16 * (1 << 20), "GB/s")
  yield* bench("scan 1024x1024", K.scanCase(1024, 1024, "sum"), 8 * (1 << 20), "GB/s")
  yield* bench("scatter add 2048 into 512x64", K.scatterCase(2048, 512, 64, "add", false), 12 * 2048 * 64, "GB/s")
}).pipe(Effect.provide(layer({ threads, relaxedSimd: relaxed })), Effect.scoped))
