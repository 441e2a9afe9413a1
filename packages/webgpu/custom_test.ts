import { Ir } from "@espalier/tensor"
import { assert, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { planBindings } from "./binding_plan.ts"
import { launchOf } from "./plan/launch.ts"
import { lowerKernel } from "./templates/mod.ts"
import { strategyFor } from "./templates/strategy.ts"
import { describeOn, openDevice, reference, runSchedule, values } from "./testing/harness.ts"
import * as Kernels from "./testing/kernels.ts"

const device = await openDevice({ poison: true })

const length = 300

/** `exp(x)` by hand, with the same function that the templates call; `code` may refuse. */
const exponential = (code: "written" | "refused" | "none" = "written"): Ir.CustomKernel => ({
  kind: "custom",
  name: "exp by hand",
  key: `test ${code}`,
  operands: [
    { dtype: "f32", length, access: "read" },
    { dtype: "f32", length, access: "write" },
  ],
  reference: Ir.scheduleOf(Kernels.unary("exp", length)),
  ...(code === "none"
    ? {}
    : {
        wgsl: (target) =>
          code === "refused"
            ? undefined
            : {
                code: `diagnostic(off, derivative_uniformity);
const count = ${length}u;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= count) { return; }
  ${target.operand(1)}[id.x] = ${target.helper("exp_f32")}(${target.operand(0)}[id.x]);
}`,
                workgroups: [Math.ceil(length / 32), 1, 1],
              },
      }),
})

describeOn(device, "hand-written kernels", (device) => {
  for (const code of ["written", "refused", "none"] as const) {
    it.effect(`whose code is ${code} give what their reference gives`, () =>
      Effect.gen(function* () {
        const x = values(length)
        const [found] = yield* runSchedule(device, Ir.scheduleOf(exponential(code)), [x])
        const [expected] = yield* runSchedule(reference, Ir.scheduleOf(exponential("none")), [x])
        for (const [i, y] of expected.entries()) assert.closeTo(found[i], y, 1e-6 * y)
      }),
    )
  }
  it.effect("that do not compile are named, with the line", () =>
    Effect.gen(function* () {
      const broken: Ir.CustomKernel = {
        ...exponential(),
        key: "broken",
        wgsl: () => ({ code: "fn main() { oops; }", workgroups: [1, 1, 1] }),
      }
      const error = yield* Effect.flip(device.compile(Ir.scheduleOf(broken)))
      assert.include(error.message, "exp by hand")
      assert.include(error.message, "oops")
    }),
  )
})

it("declarations come before hand-written code, directives before them", () => {
  const schedule = Ir.scheduleOf(exponential())
  const strategy = strategyFor({
    software: true,
    vendor: "mesa",
    subgroup: 0,
    maximumInvocations: 256,
    workgroupBytes: 16384,
    bindingBytes: 2 ** 27,
  })
  const bound = planBindings(launchOf(schedule.steps[0]), schedule)
  expect(lowerKernel(schedule.steps[0].kernel, bound, strategy).code).toMatchInlineSnapshot(`
    "diagnostic(off, derivative_uniformity);
    @group(0) @binding(0) var<storage, read> b0: array<f32, 300>;
    @group(0) @binding(1) var<storage, read_write> b1: array<f32, 300>;
    fn is_nan(x: f32) -> bool {
      return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
    }
    fn scale_f32(x: f32, exponent: i32) -> f32 {
      let half = exponent >> 1u;
      return x * bitcast<f32>((half + 127) << 23u) * bitcast<f32>((exponent - half + 127) << 23u);
    }
    fn exp_f32(x: f32) -> f32 {
      let y = clamp(x, -104.0f, 89.0f);
      let n = round(y * 1.44269504f);
      let r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
      let p = 0.5f + r * (0.16666516661643982f + r * (0.04166620224714279f
        + r * (0.008369088172912598f + r * 0.001395083381794393f)));
      return select(scale_f32(1.0f + (r + r * r * p), i32(n)), x, is_nan(x));
    }
    const count = 300u;
    @compute @workgroup_size(32)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
      if (id.x >= count) { return; }
      b1[id.x] = exp_f32(b0[id.x]);
    }
    "
  `)
})
