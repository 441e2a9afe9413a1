import type { DType, HostData } from "@espalier/tensor"
import { fromHalf, toHalf } from "./half.ts"

/** Values as the bytes that the device holds, padded to whole words. */
export const toDevice = (dtype: DType, data: HostData): ArrayBufferView => {
  switch (dtype) {
    case "f16": {
      const halves = new Uint16Array(Math.ceil(data.length / 2) * 2)
      for (let i = 0; i < data.length; i++) halves[i] = toHalf(data[i])
      return halves
    }
    case "i32":
      return data instanceof Int32Array ? data : Int32Array.from(data)
    case "u32":
    case "bool":
      return data instanceof Uint32Array ? data : Uint32Array.from(data)
    default:
      return data instanceof Float32Array ? data : Float32Array.from(data)
  }
}

/** The typed array that `length` values of `dtype` are on the host. */
export const fromDevice = (dtype: DType, bytes: ArrayBuffer, length: number): HostData => {
  switch (dtype) {
    case "f16":
      return Float32Array.from(new Uint16Array(bytes, 0, length), fromHalf)
    case "i32":
      return new Int32Array(bytes, 0, length)
    case "u32":
    case "bool":
      return new Uint32Array(bytes, 0, length)
    default:
      return new Float32Array(bytes, 0, length)
  }
}
