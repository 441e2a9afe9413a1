import type { FunctionBuilder } from "./wasm_encoder.ts"

/** Transposes four vectors (`v128` locals) of four lanes: result i, a fresh local, holds lane i of each. */
export const transposeLanes = (
  f: FunctionBuilder,
  [a, b, c, d]: ReadonlyArray<number>,
): readonly [number, number, number, number] => {
  const mix = (x: number, y: number, lanes: readonly [number, number, number, number]): number => {
    const local = f.local("v128")
    f.get(x)
      .get(y)
      .shuffle(...lanes)
      .set(local)
    return local
  }
  const low = [mix(a, b, [0, 4, 1, 5]), mix(c, d, [0, 4, 1, 5])] as const
  const high = [mix(a, b, [2, 6, 3, 7]), mix(c, d, [2, 6, 3, 7])] as const
  return [
    mix(low[0], low[1], [0, 1, 4, 5]),
    mix(low[0], low[1], [2, 3, 6, 7]),
    mix(high[0], high[1], [0, 1, 4, 5]),
    mix(high[0], high[1], [2, 3, 6, 7]),
  ]
}
