import type { WgslCode, WgslTarget } from "@espalier/tensor"
import type { CachedSizes } from "./shapes.ts"

/** A workgroup a head: scores of all keys, their softmax, then the sum of the values. */
export const cachedShader = (target: WgslTarget, sizes: CachedSizes): WgslCode | undefined => {
  const { context, heads, keyValueHeads, width, scale } = sizes
  const lanes = target.software ? 16 : Math.min(128, target.maximumInvocations)
  if (4 * (context + lanes) > target.workgroupBytes || heads > 65535) return undefined
  const [query, key, value, position, output] = [0, 1, 2, 3, 4].map((i) => target.operand(i))
  const code = `
const row = ${keyValueHeads * width}u;
var<workgroup> weights: array<f32, ${context}>;
var<workgroup> parts: array<f32, ${lanes}>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  // Known at run time only: a driver on the CPU would unroll the loops at great expense.
  let width = ${width}u${target.software ? " + group.z" : ""};
  let head = group.x;
  let own = head / ${heads / keyValueHeads}u * width;
  let count = u32(clamp(${position}[0] + 1, 1, ${context}));
  var most = -1e30f;
  for (var k = lane; k < count; k += ${lanes}u) {
    var score = 0f;
    for (var i = 0u; i < width; i++) { score += ${query}[head * width + i] * ${key}[k * row + own + i]; }
    score *= ${Math.fround(scale)}f;
    weights[k] = score;
    most = max(most, score);
  }
  parts[lane] = most;
  workgroupBarrier();
  for (var i = 0u; i < ${lanes}u; i++) { most = max(most, parts[i]); }
  workgroupBarrier();
  var sum = 0f;
  for (var k = lane; k < count; k += ${lanes}u) {
    let weight = exp(weights[k] - most);
    weights[k] = weight;
    sum += weight;
  }
  parts[lane] = sum;
  workgroupBarrier();
  sum = 0f;
  for (var i = 0u; i < ${lanes}u; i++) { sum += parts[i]; }
  for (var i = lane; i < width; i += ${lanes}u) {
    var total = 0f;
    for (var k = 0u; k < count; k++) { total += weights[k] * ${value}[k * row + own + i]; }
    ${output}[head * width + i] = total / sum;
  }
}
`
  return { code, workgroups: [heads, 1, 1] }
}
