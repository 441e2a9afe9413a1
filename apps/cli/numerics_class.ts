import { type DeviceInfo, WasmEncoder } from "@espalier/tensor"
import { createRequire } from "node:module"

/**
 * Whether `f32x4.relaxed_madd` rounds once here: (1 + 2⁻¹²)² − (1 + 2⁻¹¹) is 2⁻²⁴ then, and nothing
 * where the product is rounded before. Engines may do either, as the processor has it.
 */
export const fusesMultiplyAdd = (): boolean => {
  const module = new WasmEncoder.ModuleBuilder()
  const f = module.function(["f32", "f32", "f32"], ["f32"])
  for (const parameter of [0, 1, 2]) f.get(parameter).op("f32x4.splat")
  f.op("f32x4.relaxed_madd").lane("f32x4.extract_lane", 0)
  module.export("f", f)
  const bytes = module.encode()
  if (!WebAssembly.validate(bytes)) return false
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes))
  const multiplyAdd = exports.f as (a: number, b: number, c: number) => number
  return multiplyAdd(1 + 2 ** -12, 1 + 2 ** -12, -(1 + 2 ** -11)) !== 0
}

/** The version of Dawn, which compiles what a GPU runs. */
const dawnVersion = (): string => {
  try {
    const { version } = createRequire(import.meta.url)("webgpu/package.json") as { version: string }
    return `, dawn ${version}`
  } catch {
    return ""
  }
}

/**
 * What tells the results of a device from another's. Threads do not change them, so that of `wasm` is
 * the same on all machines whose engine fuses multiplication and addition.
 */
export const numericsClass = ({ kind, adapter }: Pick<DeviceInfo, "kind" | "adapter">): string => {
  if (kind === "wasm") return fusesMultiplyAdd() ? "wasm" : "wasm, no fused multiply-add"
  return `${kind} ${adapter}${kind === "webgpu" ? dawnVersion() : ""}`
}
