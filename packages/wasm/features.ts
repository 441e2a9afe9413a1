import { WasmEncoder } from "@espalier/tensor"

/** True when this engine has vector instructions at all. */
export const hasSimd = (): boolean => {
  const module = new WasmEncoder.ModuleBuilder()
  const f = module.function(["v128"], ["v128"])
  f.get(0).get(0).op("f32x4.add")
  return WebAssembly.validate(module.encode())
}

/** True when `f32x4.relaxed_madd` is understood by this engine. */
export const hasRelaxedSimd = (): boolean => {
  const module = new WasmEncoder.ModuleBuilder()
  const f = module.function(["v128"], ["v128"])
  f.get(0).get(0).get(0).op("f32x4.relaxed_madd")
  return WebAssembly.validate(module.encode())
}

/** True when memory can be shared with other threads. */
export const hasSharedMemory = (): boolean => {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer.byteLength > 0
  } catch {
    return false
  }
}
