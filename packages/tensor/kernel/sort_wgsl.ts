import type { TensorType } from "../tensor.ts"
import type { WgslCode, WgslTarget } from "./wgsl_abi.ts"

const maximumGroups = 65535

/**
 * A bitonic sort (Batcher 1968) of each row [rows, n] in workgroup memory, a workgroup a row; equal
 * keys are told apart by their positions. `undefined` for rows that do not fit there.
 */
export const bitonicShader = (
  target: WgslTarget,
  { shape, dtype }: TensorType,
  descending: boolean,
): WgslCode | undefined => {
  const [rows, length] = shape
  const padded = 2 ** Math.ceil(Math.log2(Math.max(2, length)))
  if (8 * padded > target.workgroupBytes || rows > maximumGroups ** 2) return undefined
  if (dtype !== "f32" && dtype !== "i32" && dtype !== "u32") return undefined
  const lanes = Math.min(padded / 2, target.software ? 32 : 256, target.maximumInvocations)
  const before = descending ? ">" : "<"
  const height = Math.ceil(rows / maximumGroups)
  const across = Math.ceil(rows / height)
  const code = `
const length = ${length}u;
const padded = ${padded}u;
var<workgroup> keys: array<${dtype}, ${padded}>;
var<workgroup> places: array<u32, ${padded}>;
/** What lies beyond the row comes last. */
fn comesBefore(a: u32, b: u32) -> bool {
  if (places[a] >= length || places[b] >= length) { return places[a] < places[b]; }
  if (keys[a] == keys[b]) { return places[a] < places[b]; }
  return keys[a] ${before} keys[b];
}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * ${across}u + group.x;
  if (row >= ${rows}u) { return; }
  for (var i = lane; i < padded; i += ${lanes}u) {
    places[i] = i;
    if (i < length) { keys[i] = ${target.operand(0)}[row * length + i]; }
  }
  workgroupBarrier();
  for (var size = 2u; size <= padded; size *= 2u) {
    for (var step = size / 2u; step > 0u; step /= 2u) {
      for (var pair = lane; pair < padded / 2u; pair += ${lanes}u) {
        let low = 2u * step * (pair / step) + pair % step;
        let high = low + step;
        let ascends = (low & size) == 0u;
        if (comesBefore(high, low) == ascends) {
          let key = keys[low];
          let place = places[low];
          keys[low] = keys[high];
          places[low] = places[high];
          keys[high] = key;
          places[high] = place;
        }
      }
      workgroupBarrier();
    }
  }
  for (var i = lane; i < length; i += ${lanes}u) {
    ${target.operand(1)}[row * length + i] = i32(places[i]);
  }
}
`
  return { code, workgroups: [across, height, 1] }
}
